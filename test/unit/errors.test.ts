import assert from 'node:assert/strict';
import { FleetlogError, isDataError, isFleetlogError, systemCode } from '@fleetlog/shared/errors';

describe('errors', () => {
  it('carry their code, class, and whether a retry makes sense', () => {
    const full = new FleetlogError('FLEETLOG_STORE_FULL', 'No space left.');
    assert.deepEqual([full.code, full.class, full.retryable], ['FLEETLOG_STORE_FULL', 'resource', true]);
    const malformed = new FleetlogError('FLEETLOG_BATCH_MALFORMED', 'No batch.');
    assert.deepEqual([malformed.class, malformed.retryable], ['data', false]);
    assert.equal(String(malformed), 'FleetlogError: No batch.');
  });

  it('predicates decide by code and class', () => {
    const error = new FleetlogError('FLEETLOG_TOPIC', 'No topic.');
    assert.ok(isFleetlogError(error) && isFleetlogError(error, 'FLEETLOG_TOPIC') && isDataError(error));
    assert.ok(!isFleetlogError(error, 'FLEETLOG_CONFIG') && !isFleetlogError(new Error('FLEETLOG_TOPIC')));
    assert.ok(!isDataError(new FleetlogError('FLEETLOG_LOCKED', 'In use.')) && !isDataError(undefined));
  });

  it("the system's code is found anywhere in the chain of causes, and loops end", () => {
    const system = Object.assign(new Error('no such file'), { code: 'ENOENT' });
    const wrapped = new FleetlogError('FLEETLOG_STORE', 'x', { cause: new Error('y', { cause: system }) });
    assert.equal(systemCode(wrapped), 'ENOENT');
    assert.equal(systemCode(new FleetlogError('FLEETLOG_STORE', 'x')), undefined);
    assert.equal(systemCode('ENOENT'), undefined);
    const loop = new Error('loop');
    loop.cause = loop;
    assert.equal(systemCode(loop), undefined);
  });
});
