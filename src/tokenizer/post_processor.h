// PostProcessor: what a model puts around a text, or around two. The steps of a tokenizer.json's
// "post_processor" are run once, on stand-ins for the texts; what is left is a row of ids and
// places for the texts. Immutable once made.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tokenizer/tokenizer.h"

namespace hearth {

class PostProcessor {
 public:
  struct Item {
    enum class Kind : uint8_t { kId, kFirst, kSecond } kind;
    TokenId id = -1;  // of kId
    int32_t type_id = 0;
  };
  using Items = std::vector<Item>;

  // Adds nothing; a second text has the type 1.
  PostProcessor();
  // `prefix` and `suffix` around each text; the second one and what is around it have the type 1.
  PostProcessor(const std::vector<TokenId>& prefix, const std::vector<TokenId>& suffix);
  // Ids must be below `entries`. kUnsupported names a kind that we lack.
  static Result<PostProcessor> from_json(const Json& json, size_t entries);

  // For one text or two, with what is added or without it.
  const Items& items(bool pair, bool special) const { return items_[pair][special]; }
  // Truncation leaves room for so many ids.
  size_t added(bool pair) const { return added_[pair]; }

  // Where a single text is {ids}, text, {ids}: those ids. False for other forms.
  bool affixes(std::vector<TokenId>& prefix, std::vector<TokenId>& suffix) const;

  TextEncoding apply(std::span<const TokenId> first, const std::vector<TokenId>* second,
                     bool special) const;

 private:
  Items items_[2][2];
  size_t added_[2] = {0, 0};
};

}  // namespace hearth
