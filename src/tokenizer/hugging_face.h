// From Hugging Face's tokenizer.json. The reader of each member is a file of its own: normalizer.h,
// pre_tokenizer_json.h, added_tokens.h, post_processor.h, decoder.h, limits.h; the model is read
// here.
#pragma once

#include <memory>

#include "base/json.h"
#include "base/result.h"
#include "tokenizer/tokenizer.h"

namespace hearth {

Result<std::shared_ptr<const Tokenizer>> make_from_hugging_face(const Json& tokenizer,
                                                                const Json& config);

}  // namespace hearth
