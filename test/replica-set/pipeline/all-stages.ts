/** Every stage the stand-in knows. `$changeStream` is the command's own affair. */

import { countStage, groupStage, sortByCountStage } from './grouping-stages.js';
import { facetStage, lookupStage, unionWithStage } from './joining-stages.js';
import { limitStage, matchStage, sampleStage, skipStage, sortStage, transformStage, unwindStage } from './passing-stages.js';
import { defineStages } from './stage-registry.js';

const transforms = ['$addFields', '$set', '$unset', '$project', '$replaceRoot', '$replaceWith'];

/** Must have been called before the first pipeline is parsed. */
export function defineAllStages(): void {
  defineStages({
    ...Object.fromEntries(transforms.map((name) => [name, transformStage(name)])),
    $match: matchStage,
    $sort: sortStage,
    $limit: limitStage,
    $skip: skipStage,
    $unwind: unwindStage,
    $sample: sampleStage,
    $group: groupStage,
    $count: countStage,
    $sortByCount: sortByCountStage,
    $unionWith: unionWithStage,
    $lookup: lookupStage,
    $facet: facetStage,
  });
}
