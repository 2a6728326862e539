/** Shows how far the files are: a bar on a terminal, a line for every tenth elsewhere. */

import { Presets, SingleBar } from 'cli-progress';
import { type Observable, scan } from 'rxjs';

/** Subscribes to the ends of jobs. @returns what stops it */
export function showProgress(ends: Observable<unknown>, total: number): () => void {
  const counted = ends.pipe(scan((ended) => ended + 1, 0));
  const bar = process.stdout.isTTY ? new SingleBar({ hideCursor: true }, Presets.shades_classic) : undefined;
  bar?.start(total, 0);
  const subscription = counted.subscribe((ended) => {
    if (bar !== undefined) bar.update(ended);
    else if (isTenth(ended, total)) console.log(`${ended} of ${total} files`);
  });
  return () => {
    subscription.unsubscribe();
    bar?.stop();
  };
}

/** Whether one more tenth of all has been reached. */
function isTenth(ended: number, total: number): boolean {
  return Math.floor((ended * 10) / total) > Math.floor(((ended - 1) * 10) / total);
}
