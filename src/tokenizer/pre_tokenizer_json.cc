#include "tokenizer/pre_tokenizer_json.h"

#include "base/utf8.h"
#include "tokenizer/characters.h"
#include "tokenizer/space_cutter.h"

namespace hearth {
namespace {

Result<SplitBehavior> read_behavior(const Json& json) {
  struct Row {
    std::string_view name;
    SplitBehavior behavior;
  };
  constexpr Row kRows[] = {{"Isolated", SplitBehavior::kIsolated},
                           {"Removed", SplitBehavior::kRemoved},
                           {"Contiguous", SplitBehavior::kContiguous},
                           {"MergedWithPrevious", SplitBehavior::kMergedWithPrevious},
                           {"MergedWithNext", SplitBehavior::kMergedWithNext}};
  const std::string name = TRY(json.get_string("behavior", "Isolated"));
  for (const Row& row : kRows)
    if (row.name == name) return row.behavior;
  return fail(Code::kUnsupported, "tokenizer.json: split behavior '{}' is not supported",
              name.substr(0, 100));
}

Result<std::string> read_character(const Json& json, const char* name, std::string fallback) {
  std::string text = TRY(json.get_string(name, std::move(fallback)));
  if (text.empty() || decode_utf8(text, 0).bytes != text.size())
    return fail(Code::kCorrupt, "tokenizer.json: pre-tokenizer: '{}' is not one character", name);
  return text;
}

Result<void> add_pattern(PreTokenizerPart& out, std::string_view pattern, SplitBehavior behavior,
                         bool invert) {
  out.patterns.emplace_back(pattern);
  return out.steps.add_split(std::string(pattern), behavior, invert);
}

Result<void> add_bert(PreTokenizerPart& out, const Json&) {
  out.steps.add_character_split(is_white_space, SplitBehavior::kRemoved);
  out.steps.add_character_split(is_punctuation, SplitBehavior::kIsolated);
  return {};
}

Result<void> add_byte_level(PreTokenizerPart& out, const Json& json) {
  if (TRY(json.get_bool("add_prefix_space", true))) out.steps.add_prefix_space();
  if (TRY(json.get_bool("use_regex", true)))
    TRY(add_pattern(out, patterns::kGpt2, SplitBehavior::kIsolated, false));
  out.steps.add_byte_level();
  return {};
}

Result<void> add_delimiter(PreTokenizerPart& out, const Json& json) {
  out.steps.add_literal_split(TRY(read_character(json, "delimiter", "")), SplitBehavior::kRemoved,
                              false);
  out.patterns.emplace_back();
  return {};
}

Result<void> add_digits(PreTokenizerPart& out, const Json& json) {
  const bool each = TRY(json.get_bool("individual_digits", false));
  return add_pattern(out, each ? patterns::kNumber : R"(\p{N}+)", SplitBehavior::kIsolated, false);
}

Result<void> add_fixed_length(PreTokenizerPart& out, const Json& json) {
  const int64_t length = TRY(json.get_int("length", 5));
  if (length <= 0)
    return fail(Code::kCorrupt, "tokenizer.json: pre-tokenizer FixedLength of {}", length);
  out.steps.add_cut(cut_by_length(static_cast<size_t>(length)));
  return {};
}

Result<void> add_metaspace(PreTokenizerPart& out, const Json& json) {
  const bool prefix = TRY(json.get_bool("add_prefix_space", true));
  const std::string name = TRY(json.get_string("prepend_scheme", prefix ? "always" : "never"));
  PrependScheme scheme = PrependScheme::kAlways;
  if (name == "first") scheme = PrependScheme::kFirst;
  else if (name == "never") scheme = PrependScheme::kNever;
  else if (name != "always")
    return fail(Code::kUnsupported, "tokenizer.json: prepend_scheme '{}' is not supported",
                name.substr(0, 100));
  const Json& split = json["split"];
  out.steps.add_metaspace(TRY(read_character(json, "replacement", std::string(kSpaceMark))),
                          scheme, split.is_null() || TRY(json.get_bool("split", true)));
  return {};
}

Result<void> add_punctuation(PreTokenizerPart& out, const Json& json) {
  out.steps.add_character_split(is_punctuation, TRY(read_behavior(json)));
  return {};
}

Result<void> add_split(PreTokenizerPart& out, const Json& json) {
  const Json& pattern = json["pattern"];
  const SplitBehavior behavior = TRY(read_behavior(json));
  const bool invert = TRY(json.get_bool("invert", false));
  if (pattern.find("Regex")) {
    std::string text = TRY(pattern.get_string("Regex", ""));
    // Where newlines are pieces already, the linear form of this pattern means the same.
    const bool after_newlines = !out.patterns.empty() && out.patterns[0] == patterns::kNewline;
    if (after_newlines && text == patterns::kTrailingSpaceSlow) text = patterns::kTrailingSpace;
    return add_pattern(out, text, behavior, invert);
  }
  if (!pattern.find("String"))
    return fail(Code::kCorrupt, "tokenizer.json: pre-tokenizer Split without a pattern");
  out.steps.add_literal_split(TRY(pattern.get_string("String", "")), behavior, invert);
  out.patterns.emplace_back();
  return {};
}

Result<void> add_scripts(PreTokenizerPart& out, const Json&) {
  out.steps.add_cut(cut_by_script());
  return {};
}

Result<void> add_words(PreTokenizerPart& out, const Json&) {
  out.steps.add_cut(cut_words());
  return {};
}

Result<void> add_white_space(PreTokenizerPart& out, const Json&) {
  out.steps.add_character_split(is_white_space, SplitBehavior::kRemoved);
  return {};
}

struct Row {
  std::string_view type;
  Result<void> (*add)(PreTokenizerPart&, const Json&);
};

constexpr Row kRows[] = {
    {"BertPreTokenizer", add_bert},
    {"ByteLevel", add_byte_level},
    {"CharDelimiterSplit", add_delimiter},
    {"Digits", add_digits},
    {"FixedLength", add_fixed_length},
    {"Metaspace", add_metaspace},
    {"Punctuation", add_punctuation},
    {"Split", add_split},
    {"UnicodeScripts", add_scripts},
    {"Whitespace", add_words},
    {"WhitespaceSplit", add_white_space},
};

Result<void> add_step(PreTokenizerPart& out, const Json& json, int depth) {
  constexpr int kDepthMax = 8;
  const std::string type = TRY(json.get_string("type", ""));
  if (type == "Sequence") {
    const Json& parts = json["pretokenizers"];
    if (depth > kDepthMax || !parts.is_array())
      return fail(Code::kCorrupt, "tokenizer.json: pre-tokenizer Sequence without its parts");
    for (const Json& part : parts.as_array()) TRY(add_step(out, part, depth + 1));
    return {};
  }
  for (const Row& row : kRows)
    if (row.type == type) return row.add(out, json);
  return fail(Code::kUnsupported, "tokenizer.json: pre-tokenizer '{}' is not supported",
              type.substr(0, 100));
}

}  // namespace

Result<PreTokenizerPart> read_pre_tokenizer(const Json& json) {
  PreTokenizerPart out;
  if (!json.is_null()) TRY(add_step(out, json, 0));
  return out;
}

}  // namespace hearth
