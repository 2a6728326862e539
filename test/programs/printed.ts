/** Prints a program for a reader: a line for each part, indented. */

import type { Call, Callbacks, Incident, Part, Program } from './program.js';

export function printed({ seed, processes, roots, incidents, death }: Program): string {
  return [
    `program ${seed}, by processes that run ${processes.join(', ')} jobs at once`,
    ...(death === undefined ? [] : [`the first dies ${death.isAfter ? 'after' : 'before'} ${death.what} ${death.nth}`]),
    ...roots.flatMap((root) => part(root, 'queue', 1)),
    ...incidents.flatMap(incident),
  ].join('\n');
}

function part(one: Part, role: string, depth: number): readonly string[] {
  const { name, kind, quotas, queue, priority, delayMs } = one;
  const options = Object.entries({ quotas, queue, priority, delayMs }).filter(([, value]) => value !== undefined);
  const what = kind === 'call' ? call(one) : `${kind}, onFailure ${one.onFailure}`;
  const line = `${'  '.repeat(depth)}${role} ${name}: ${what}${options.map(([key, value]) => `, ${key} ${JSON.stringify(value)}`).join('')}`;
  return [line, ...below(one, depth + 1)];
}

function call({ task, input, failures, attempts, retryDelayMs, lastsMs, heedsSignal }: Call): string {
  return [
    `${task}(${input === 'none' ? '' : input})`,
    ...(failures === 0 ? [] : [`fails ${failures} times, of ${attempts} attempts ${retryDelayMs} ms apart`]),
    ...(lastsMs === 0 ? [] : [`lasts ${lastsMs} ms`]),
    ...(heedsSignal ? ['heeds its signal'] : []),
  ].join(', ');
}

function below(one: Part, depth: number): readonly string[] {
  const own =
    one.kind === 'call'
      ? [one.returns === undefined ? [] : part(one.returns.part, `returns ${one.returns.as}`, depth)]
      : [
          ...one.steps.map((step) => part(step, 'step', depth)),
          one.postprocess === undefined ? [] : part(one.postprocess, 'postprocess', depth),
        ];
  return [...own.flat(), ...one.callbacks.flatMap((callbacks) => sides(callbacks, depth))];
}

function sides(callbacks: Callbacks, depth: number): readonly string[] {
  return Object.entries(callbacks).flatMap(([side, one]) => (one === undefined ? [] : part(one, side, depth)));
}

function incident(one: Incident): readonly string[] {
  const when = `  after ${one.afterRuns} runs`;
  if (one.type === 'cancel') return [`${when} cancel ${one.name}`];
  return [`${when} add to ${one.name}, each to the one before:`, ...one.chain.flatMap((callbacks) => sides(callbacks, 2))];
}
