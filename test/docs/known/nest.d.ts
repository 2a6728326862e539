/** The part of Nest that snippets use: it is not a dependency of this repository. */

declare module '@nestjs/common' {
  export function Inject(token: unknown): ParameterDecorator;
  export function Module(options: object): ClassDecorator;
  export interface OnApplicationShutdown {
    onApplicationShutdown(signal?: string): unknown;
  }
}
