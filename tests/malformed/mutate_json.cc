#include "mutate_json.h"

#include <string_view>

#include "random.h"

namespace hearth {
namespace {

// Names that the parsers dispatch on, patterns that are hard on a matcher, texts with an edge.
constexpr std::string_view kTexts[] = {
    "", " ", "a", "\u2581", "\u0120", "##", "</w>", "<0x41>", "<0xZZ>", "[UNK]", "<unk>", "\u00E9",
    "BPE", "WordPiece", "WordLevel", "Unigram", "Sequence", "ByteLevel", "Metaspace", "Split",
    "Digits", "Punctuation", "Whitespace", "WhitespaceSplit", "BertPreTokenizer",
    "CharDelimiterSplit",
    "UnicodeScripts", "FixedLength", "BertNormalizer", "NFC", "NFD", "NFKC", "NFKD", "Nmt",
    "Lowercase", "Strip", "StripAccents", "Replace", "Prepend", "Precompiled", "ByteFallback",
    "Fuse", "CTC", "BPEDecoder", "TemplateProcessing", "BertProcessing", "RobertaProcessing",
    "Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous", "always", "first",
    "never", "LongestFirst", "OnlyFirst", "OnlySecond", "Left", "Right", "BatchLongest",
    "LlamaForCausalLM", "Qwen2ForCausalLM", "Gemma3ForCausalLM", "MistralForCausalLM", "yarn",
    "linear", "llama3", "(a+)+$", "(?:a|a)*b", "(", "[", "\\", "\\K", "(?=a)*", ".*", "$", "^",
    "(?i)\\p{L}+", "a{1000}{1000}", "(?R)", "\\p{Foo}", "AAAA", "!", "=", "AAQAAAAgAAA"};

Json wild_value(Random& random) {
  constexpr double kNumbers[] = {-1, -0.0, 0.5, 1e-320, 1e38, 1e39, 1e308, -1e308, 2147483647.5};
  switch (random.below(9)) {
    case 0: return Json();
    case 1: return Json(random.below(2) == 0);
    case 2: return Json(static_cast<int64_t>(random.pick(kEdges)));
    case 3: return Json(-static_cast<int64_t>(random.below(3)));
    case 4: return Json(random.pick(kNumbers));
    case 5: return Json(std::string(1 + random.below(3000), 'a'));
    case 6: return random.below(2) == 0 ? Json(Json::Array{}) : Json(Json::Object{});
    default: return Json(random.pick(kTexts));
  }
}

// A node somewhere in the tree; large tables are no likelier than one flag.
Json& pick_node(Json& root, Random& random) {
  Json* node = &root;
  while (true) {
    bool stop = node != &root && random.below(4) == 0;
    if (!stop && node->is_object() && !node->as_object().empty())
      node = &node->object()[random.below(node->as_object().size())].second;
    else if (!stop && node->is_array() && !node->as_array().empty())
      node = &node->array()[random.below(node->as_array().size())];
    else
      return *node;
  }
}

void bend_items(Json& node, Random& random) {
  auto bend = [&](auto& items) {
    if (items.empty()) return;
    size_t at = random.below(items.size());
    switch (random.below(4)) {
      case 0: items.erase(items.begin() + static_cast<ptrdiff_t>(at)); break;
      case 1: items.push_back(auto(items[at])); break;
      case 2: std::swap(items[at], items[random.below(items.size())]); break;
      case 3: items.resize(random.below(items.size() + 1)); break;
    }
  };
  if (node.is_object()) bend(node.object());
  if (node.is_array()) bend(node.array());
}

std::string bent_text(const std::string& text, Random& random) {
  size_t at = random.below(text.size() + 1);
  switch (random.below(4)) {
    case 0: return text + text;
    case 1: return text.substr(0, at);
    case 2: return text.substr(0, at) + std::string(random.pick(kTexts)) + text.substr(at);
    default: return std::string(random.pick(kTexts));
  }
}

void bend(Json& root, std::span<const Json> donors, Random& random) {
  Json& node = pick_node(root, random);
  uint64_t how = random.below(8);
  if (how < 2) {
    node = wild_value(random);
  } else if (how < 4 && !donors.empty()) {
    Json donor = donors[random.below(donors.size())];
    node = auto(pick_node(donor, random));
  } else if (node.is_string()) {
    node = Json(bent_text(node.as_string(), random));
  } else if (node.is_int()) {
    node = Json(static_cast<int64_t>(static_cast<uint64_t>(node.as_int()) + random.below(9) - 4));
  } else if (node.is_bool()) {
    node = Json(!node.as_bool());
  } else {
    bend_items(node, random);
  }
}

// A member of one document in the place of the other's: normalizers, decoders, models.
void swap_member(Json& root, std::span<const Json> donors, Random& random) {
  if (!root.is_object() || root.as_object().empty() || donors.empty()) return;
  const auto& [name, value] = root.as_object()[random.below(root.as_object().size())];
  std::string copy = name;
  root.set(copy, donors[random.below(donors.size())][copy]);
}

}  // namespace

std::string mutate_json(const Json& document, std::span<const Json> donors, uint64_t number) {
  Random random(22, number);
  Json root = document;
  uint64_t steps = 1 + random.below(3);
  for (uint64_t i = 0; i < steps; ++i) {
    if (random.below(4) == 0) swap_member(root, donors, random);
    else bend(root, donors, random);
  }
  std::string text = root.dump();
  if (random.below(8) != 0) return text;
  size_t at = random.below(text.size() + 1);
  if (random.below(2) == 0) return text.substr(0, at);
  return text.substr(0, at) + static_cast<char>(random.next()) + text.substr(at);
}

}  // namespace hearth
