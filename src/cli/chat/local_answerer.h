// A model that this process has loaded.
#pragma once

#include "cli/chat/answerer.h"

namespace hearth {

// Loads it. The options are those of `hearth run`.
Result<std::unique_ptr<Answerer>> load_answerer(const std::string& model, const Options& options);

}  // namespace hearth
