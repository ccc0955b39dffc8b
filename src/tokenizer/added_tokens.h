// The member "added_tokens" of a tokenizer.json.
#pragma once

#include "base/json.h"
#include "base/result.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/vocabulary.h"

namespace hearth {

// Puts the tokens into the entries and among what is looked for in texts. As in the reference, an
// id is not what the file says: a token that the model has keeps the model's id, and others get
// the ids from `model_size` on, in their order. REQUIRES: the model's entries are there, the index
// is not built yet. kCorrupt for ids that are no numbers below kEntriesMax.
Result<void> read_added_tokens(const Json& json, const Normalizer& normalizer, size_t model_size,
                               Vocabulary& out);

// An id as files have it.
Result<size_t> read_entry_id(const Json& json, std::string_view what);
// Grows the entries, with unused ones, as far as `id`.
void put_entry(Vocabulary& out, size_t id, std::string_view text, TokenKind kind);

}  // namespace hearth
