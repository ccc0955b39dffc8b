// The small files beside the weights of a Hugging Face checkpoint folder.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace hearth {

// An object such as config.json, of at most 16 MiB. kNotFound where there is no such file.
Result<Json> read_checkpoint_json(const std::string& folder, std::string_view name);

// The chat template: chat_template.jinja or what tokenizer_config.json says; empty where there is
// none. A file that is there and cannot be read is an error.
Result<std::string> read_checkpoint_template(const std::string& folder);

}  // namespace hearth
