// Truncation and padding as Hugging Face's tokenizers do them, and their members of a
// tokenizer.json.
#pragma once

#include <span>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tokenizer/text_encoding.h"

namespace hearth {

// null: none.
Result<std::optional<Truncation>> read_truncation(const Json& json);
// `entries`: ids must be below it.
Result<std::optional<Padding>> read_padding(const Json& json, size_t entries);

// Leaves room for `added` ids. `second` may be nullptr. kInvalid where the strategy cannot do it.
Result<void> truncate(std::vector<int32_t>& first, std::vector<int32_t>* second,
                      const Truncation& truncation, size_t added);

// kTooLarge where a file asks for a length that no model has.
Result<void> pad(std::span<TextEncoding> encodings, const Padding& padding);

}  // namespace hearth
