/** Identifiers of diagnostics with the control unit of engine or drive (ISO 15765-4). */
export interface DiagnosticAddresses {
  /** Requests for all control units. */
  all: number;
  request: number;
  answer: number;
}

const standard: DiagnosticAddresses = { all: 0x7df, request: 0x7e0, answer: 0x7e8 };
/** Tester 0xF1, engine 0x10. */
const extended29: DiagnosticAddresses = { all: 0x18db_33f1, request: 0x18da_10f1, answer: 0x18da_f110 };

export const addressesOf = (extended: boolean): DiagnosticAddresses => (extended ? extended29 : standard);

export const isRequestForAll = (id: number, extended: boolean): boolean => id === addressesOf(extended).all;
