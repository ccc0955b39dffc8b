// A folder without tokenizer.json, as older repositories of Hugging Face are: vocab.json and
// merges.txt (byte-level BPE), or vocab.txt (BERT), with added_tokens.json, special_tokens_map.json
// and tokenizer_config.json. It is turned into the tokenizer.json that transformers would make of
// it, so that the ids are the same.
#pragma once

#include <string>

#include "base/json.h"
#include "base/result.h"

namespace hearth {

struct VocabFiles {
  Json vocab;                // vocab.json, or null
  std::string merges;        // merges.txt
  std::string words;         // vocab.txt, where there is no vocab.json
  Json config;               // tokenizer_config.json, or null
  Json added, special_map;   // added_tokens.json and special_tokens_map.json, or null
};

// kUnsupported for classes of tokenizer ("tokenizer_class") that we have no form for.
Result<Json> tokenizer_json_of(const VocabFiles& files);

}  // namespace hearth
