/** One measured value. */
export interface Figure {
  /** Such as `memory.throughput`. */
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}
