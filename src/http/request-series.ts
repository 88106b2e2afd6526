import type { BrokerStats } from '../broker/stats.js';
import type { Series } from './series.js';

/** Where requests are counted. */
export interface RequestsNow {
  readonly broker: { readonly stats: Pick<BrokerStats, 'requestsRefused'> };
  readonly requests: { readonly running: number };
  readonly transfers: { readonly outstanding: number };
}

export const REQUEST_SERIES: readonly Series<RequestsNow>[] = [
  {
    kind: 'gauge',
    name: 'requests_running',
    help: 'Searches, replays and other requests being answered.',
    read: ({ requests }) => requests.running,
  },
  {
    kind: 'counter',
    name: 'refused_requests_total',
    help: 'Requests answered with REQUEST_LIMIT, because their client asks too often.',
    read: ({ broker }) => broker.stats.requestsRefused,
  },
  {
    kind: 'gauge',
    name: 'transfers_outstanding',
    help: 'Files that the transfer client was asked for and has not sent.',
    read: ({ transfers }) => transfers.outstanding,
  },
];
