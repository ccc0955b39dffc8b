// The PARAMETERs of a model: one row per name, with Ollama's names, types and ranges. The Modelfile
// parser, the params layer and the commands that sample all check against these rows.
#pragma once

#include <span>

#include "base/json.h"
#include "base/options.h"
#include "base/result.h"

namespace hearth {

// Rows have no defaults: what is not given is the engine's business. Hidden rows are names of
// older releases that are accepted and do nothing.
std::span<const OptionRow> parameter_rows();

// An object of the params layer: numbers and booleans with their JSON types, `stop` an array.
// Only what was given, in the order of the rows.
Json parameters_to_json(const Options& parameters);

// The bag for such an object. Values of the wrong type or out of range are kInvalid; names that no
// row has are ignored with a note in the log, as stores of other versions may have them.
Result<Options> parameters_from_json(const Json& params);

}  // namespace hearth
