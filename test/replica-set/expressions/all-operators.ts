/** Every expression operator the stand-in knows. */

import { ACCUMULATOR_EXPRESSIONS } from './accumulators.js';
import { ARITHMETIC } from './arithmetic.js';
import { ARRAYS } from './arrays.js';
import { CONVERSION_OPERATORS } from './conversions.js';
import { DATES } from './dates.js';
import { defineOperators } from './expression.js';
import { LOGIC } from './logic.js';
import { OBJECTS } from './objects.js';
import { STRINGS } from './strings.js';

/** Must have been called before the first expression is compiled. */
export function defineAllOperators(): void {
  for (const family of [ACCUMULATOR_EXPRESSIONS, ARITHMETIC, ARRAYS, CONVERSION_OPERATORS, DATES, LOGIC, OBJECTS, STRINGS])
    defineOperators(family);
}
