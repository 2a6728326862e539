/** `DocumentSource`: loads the documents that arguments refer to; a port that the application binds in its container. */

/** A document that is asked for. */
export interface DocumentRequest {
  readonly collection: string;
  readonly id: unknown;
  /** Of the transaction of a transactional task, in which the document is to be read; else `undefined`. */
  readonly session: object | undefined;
}

export interface DocumentSource {
  /**
   * The document as it is now; runs as part of the task, on behalf of its principal.
   * @returns `undefined` or `null` where it is gone: the job fails with `ContextNotFoundError`
   */
  load(request: DocumentRequest): unknown;
}

/** The injection symbol, which carries its type: `container.bind(DocumentSource).toConstantValue(…)`. Resolved once, by `start`. */
export const DocumentSource = Symbol.for('millrace.DocumentSource') as symbol & (abstract new () => DocumentSource);
