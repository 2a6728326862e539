/** The stages the stand-in knows, by name. */

import type { StageParser } from './stage.js';

const STAGES = new Map<string, StageParser>();

export function defineStages(stages: Readonly<Record<string, StageParser>>): void {
  for (const [name, parser] of Object.entries(stages)) STAGES.set(name, parser);
}

export function stageParser(name: string): StageParser | undefined {
  return STAGES.get(name);
}

export function stageNames(): string[] {
  return [...STAGES.keys()].sort();
}
