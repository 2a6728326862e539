/** Thrown where a command's connection is to be closed without an answer. */

export class DropConnection extends Error {}
