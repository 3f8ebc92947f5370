/** What the demo asks the cloud's API for; only the fields that it shows. */
export interface CloudFacts {
  gateways: {
    gateway: string;
    connected: boolean;
    batches: number;
    records: number;
    pendingBatches: number;
    bufferBytes: number;
    lastTime?: string;
  }[];
  streams: {
    gateway: string;
    stream: string;
    kind: string;
    batches: number;
    records: number;
    bytes: number;
  }[];
  gaps: { gateway: string; state: 'explained' | 'pending' | 'missing'; first: number; last: number }[];
  status: { log: { bytes: number }; index: { lagBatches: number } };
}

const ANSWER_MS_MAX = 5000;

/** Asks the cloud at `url`. Errors: those of fetch. */
export async function askCloud(url: string): Promise<CloudFacts> {
  const [{ gateways }, { streams }, { gaps }, status] = (await Promise.all([
    ask(url, 'gateways'),
    ask(url, 'streams'),
    ask(url, 'gaps'),
    ask(url, 'status'),
  ])) as [
    Pick<CloudFacts, 'gateways'>,
    Pick<CloudFacts, 'streams'>,
    Pick<CloudFacts, 'gaps'>,
    CloudFacts['status'],
  ];
  return { gateways, streams, gaps, status };
}

async function ask(url: string, what: string): Promise<unknown> {
  const response = await fetch(`${url}/v1/${what}`, { signal: AbortSignal.timeout(ANSWER_MS_MAX) });
  if (!response.ok) throw new Error(`${url}/v1/${what} answers ${response.status}`);
  return response.json();
}
