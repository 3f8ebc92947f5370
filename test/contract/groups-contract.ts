import fc from 'fast-check';
import { GroupsModel, type Step } from '../support/groups-model.js';
import { tempFolder } from '../support/temp-folder.js';
import type { LogKind } from './log-contract.js';

const nat = fc.nat({ max: 30 });
const share = fc.double({ min: 0, max: 1, noNaN: true });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ append: nat, count: fc.integer({ min: 1, max: 20 }) }) },
  { weight: 1, arbitrary: fc.record({ trim: nat, share }) },
  { weight: 1, arbitrary: fc.record({ remove: nat, at: nat, count: fc.integer({ min: 1, max: 9 }) }) },
  { weight: 3, arbitrary: fc.record({ join: nat, earliest: fc.boolean() }) },
  { weight: 6, arbitrary: fc.record({ take: nat }) },
  { weight: 6, arbitrary: fc.record({ commit: nat, behind: fc.nat({ max: 2 }) }) },
  { weight: 2, arbitrary: fc.record({ leave: nat }) },
  { weight: 1, arbitrary: fc.record({ place: nat, partition: nat, share }) },
  { weight: 1, arbitrary: fc.record({ forget: nat }) },
  { weight: 1, arbitrary: fc.constant({ restart: true as const }) },
);

/** Groups that read a log of this kind are what a simple model of them is, whatever happens. */
export function groupsContract({ name, open, modelRuns }: LogKind): void {
  describe(`groups of consumers on a log: ${name}`, function () {
    this.timeout(120_000);

    it('give every batch in its order, to one member at a time, from where the group had finished', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
          await using folder = await tempFolder('groups');
          const model = await GroupsModel.start(() => open(folder.path));
          try {
            for (const one of steps) await model.step(one);
          } finally {
            await model.end();
          }
        }),
        { numRuns: modelRuns },
      );
    });
  });
}
