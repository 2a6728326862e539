/** Projections of `find` only: `$slice` and `$elemMatch` on an array field. */

import { environment } from '../expressions/scope.js';
import { parseFilter } from '../matching/parse-filter.js';
import { ServerError } from '../server-error.js';
import { numberOf } from '../values/numbers.js';
import { type Doc, isArray, isDoc, type Value } from '../values/value.js';

export interface FindOperator {
  readonly field: string;
  /** Whether it makes the projection an inclusion. */
  readonly includes: boolean;
  apply(projected: Doc, original: Doc): Doc;
}

export function isFindOperator(path: string, value: Value): boolean {
  if (path.endsWith('.$')) throw new ServerError('NotImplemented', 'the stand-in does not know the positional projection');
  if (!isDoc(value)) return false;
  const [name] = Object.keys(value);
  return name === '$elemMatch' || (name === '$slice' && !(isArray(value['$slice']) && typeof value['$slice'][0] === 'string'));
}

export function parseFindOperator(field: string, value: Value): FindOperator {
  if (field.includes('.'))
    throw new ServerError('NotImplemented', 'the stand-in knows $slice and $elemMatch of projections only for top-level fields');
  const spec = isDoc(value) ? value : {};
  return spec['$slice'] === undefined ? elemMatch(field, spec['$elemMatch']) : slice(field, spec['$slice']);
}

function slice(field: string, argument: Value): FindOperator {
  const [skip, limit] = isArray(argument) ? argument.map(numberOf) : [numberOf(argument), undefined];
  if (skip === undefined) throw new ServerError(28667, 'Invalid $slice syntax. The given syntax did not match the find() syntax');
  return {
    field,
    includes: false,
    apply: (projected) => {
      const array = projected[field];
      if (!isArray(array)) return projected;
      const start = skip >= 0 ? skip : Math.max(array.length + skip, 0);
      const part = limit === undefined ? (skip >= 0 ? array.slice(0, skip) : array.slice(skip)) : array.slice(start, start + limit);
      return { ...projected, [field]: part };
    },
  };
}

function elemMatch(field: string, condition: Value | undefined): FindOperator {
  if (!isDoc(condition)) throw new ServerError(31274, 'elemMatch: Invalid argument, object required');
  const onValues = Object.keys(condition)[0]?.startsWith('$') ?? false;
  const predicate = parseFilter(onValues ? { e: condition } : condition, { env: environment(), allowsExpr: false });
  const test = (element: Value): boolean => (onValues ? predicate.matches({ e: element }) : isDoc(element) && predicate.matches(element));
  return {
    field,
    includes: true,
    apply: (projected, original) => {
      const array = original[field];
      const found = isArray(array) ? array.find(test) : undefined;
      const { [field]: _, ...rest } = projected;
      return found === undefined ? rest : { ...rest, [field]: [found] };
    },
  };
}
