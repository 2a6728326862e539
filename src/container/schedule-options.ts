/** The options of schedules: jobs that recur. */

import { checkOptions, is, type Rules } from '../check.js';
import type { Schedule } from '../dispatch/scheduler.js';
import { OptionError } from '../errors.js';
import { CronSchedule, type Missed, UTC } from '../job/cron-schedule.js';
import { expand } from '../job/expand-plan.js';
import type { ExpansionContext } from '../job/expansion-context.js';
import { checkLevels, type JobPlan, plansBelow } from '../job/job-plan.js';
import { system } from '../job/principal.js';
import { isTimeZone } from '../job/time-zone.js';
import type { Draft } from '../service/job.js';
import { planOf } from '../service/job-draft.js';

export interface ScheduleOptions {
  /** When it is queued: a cron expression of five fields, or six with seconds first, such as `'0 3 * * *'`. */
  readonly every: string;
  /**
   * The job that is queued each time; nothing below it may have a `beginAfter` or `beginBy`. Inside the task `currentTask().scheduledFor`
   * is the time.
   */
  readonly job: Draft<unknown>;
  /** Its name in the store: the same in every process and build. @default the draft's own name, else its task's */
  readonly name?: string | undefined;
  /**
   * An IANA time zone, such as `'Europe/Berlin'`; never that of the process, or two in different zones would both queue the job.
   * @default 'UTC'
   */
  readonly timeZone?: string | undefined;
  /**
   * The reaction to firings that every process missed: one job for all of them, none, or one for each, of the last thousand.
   * @default 'once'
   */
  readonly missed?: Missed | undefined;
}

export const SCHEDULE_DEFAULTS = Object.freeze({ timeZone: UTC, missed: 'once' } as const satisfies Partial<ScheduleOptions>);

/** A schedule whose jobs are not planted yet. */
export interface CheckedSchedule extends Omit<Schedule, 'tree'> {
  readonly plan: JobPlan;
}

const FIXED_TIMES = ['beginAfter', 'beginBy'] as const;
/** Options that its own job may not have. */
const OWN_TIMES = ['delayMs', 'debounceMs', ...FIXED_TIMES] as const;

const RULES: Rules<ScheduleOptions> = {
  every: is.text,
  job: { must: 'a draft, such as `makeJob(task, …args)`', holds: is.object.holds },
  name: is.label,
  timeZone: { must: "an IANA time zone, such as 'Europe/Berlin'", holds: (value) => typeof value === 'string' && isTimeZone(value) },
  missed: is.oneOf('once', 'skip', 'all'),
};

/** @throws OptionError, NotATaskError */
export function checkSchedules(schedules: readonly ScheduleOptions[]): readonly CheckedSchedule[] {
  const checked = schedules.map((one, index) => checkSchedule(`schedules[${index}]`, one));
  const names = checked.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined)
    throw new OptionError(`\`schedules\` of \`asyncModule\` has two that are called \`${twice}\`; give one another \`name\``);
  return checked;
}

function checkSchedule(path: string, options: ScheduleOptions): CheckedSchedule {
  const owner = `\`${path}\` of \`asyncModule\``;
  checkOptions<ScheduleOptions>(owner, options, RULES);
  const { every, job, timeZone = SCHEDULE_DEFAULTS.timeZone, missed = SCHEDULE_DEFAULTS.missed } = options;
  if (every === undefined) throw new OptionError(`${owner} needs \`every\`, a cron expression such as '0 3 * * *'`);
  const plan = planOf(job, `${path}.job`);
  const name = options.name ?? plan.options.name ?? (plan.kind === 'task' ? plan.taskName : undefined);
  if (name === undefined) throw new OptionError(`${owner} is of a batch, which has no name of its own: give it a \`name\``);
  const own = OWN_TIMES.find((option) => plan.options[option] !== undefined);
  if (own !== undefined) throw new OptionError(`${owner} has a job with a time of its own, \`${own}\`; it begins when the schedule says`);
  checkLevels(plan);
  checkBelow(plan, `${path}.job`);
  return { name, plan, missed, timetable: new CronSchedule(`\`every\` of ${owner}`, every, timeZone) };
}

/** A draft that every firing queues anew has no fixed time, since that would be over after the first firing. @throws OptionError */
function checkBelow(plan: JobPlan, path: string): void {
  for (const [below, where] of plansBelow(plan)) {
    const at = path + where;
    const fixed = FIXED_TIMES.find((option) => below.options[option] !== undefined);
    if (fixed !== undefined)
      throw new OptionError(
        `\`${at}.${fixed}\` of \`asyncModule\` is ${below.options[fixed]?.toISOString()}, a fixed time, but its job is queued again and again: give it a \`delayMs\`, or none`,
      );
    checkBelow(below, at);
  }
}

/** The job is queued as if it had been scheduled for the time of the firing, on behalf of the deployment itself. */
export function schedulesOn(expansion: ExpansionContext, schedules: readonly CheckedSchedule[]): readonly Schedule[] {
  return schedules.map(({ plan, ...schedule }) => ({
    ...schedule,
    tree: (at) =>
      expand(
        { ...plan, options: { ...plan.options, beginAfter: at } },
        { ...expansion, principal: () => system, metadata: () => undefined },
      ),
  }));
}
