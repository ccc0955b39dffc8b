#include "tokenizer/hugging_face_parts.h"

#include "tokenizer/characters.h"
#include "tokenizer/space_cutter.h"

namespace hearth {
namespace {

constexpr int kDepthMax = 8;

Result<SplitBehavior> read_behavior(const Json& json) {
  const std::string name = TRY(json.get_string("behavior", "Isolated"));
  if (name == "Isolated") return SplitBehavior::kIsolated;
  if (name == "Removed") return SplitBehavior::kRemoved;
  if (name == "Contiguous") return SplitBehavior::kContiguous;
  if (name == "MergedWithPrevious") return SplitBehavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return SplitBehavior::kMergedWithNext;
  return fail(Code::kUnsupported, "tokenizer.json: split behavior '{}' is not supported", name);
}

Result<void> add_split(PreTokenizerPart& out, std::string_view pattern, SplitBehavior behavior,
                       bool invert) {
  out.patterns.emplace_back(pattern);
  return out.steps.add_split(std::string(pattern), behavior, invert);
}

Result<void> add_metaspace(PreTokenizerPart& out, const Json& json) {
  const bool prefix = TRY(json.get_bool("add_prefix_space", true));
  const std::string name = TRY(json.get_string("prepend_scheme", prefix ? "always" : "never"));
  PrependScheme scheme = PrependScheme::kAlways;
  if (name == "first") scheme = PrependScheme::kFirst;
  else if (name == "never") scheme = PrependScheme::kNever;
  else if (name != "always")
    return fail(Code::kUnsupported, "tokenizer.json: prepend_scheme '{}' is not supported", name);
  out.steps.add_metaspace(TRY(json.get_string("replacement", std::string(kSpaceMark))), scheme,
                          TRY(json.get_bool("split", true)));
  return {};
}

Result<void> add_split_json(PreTokenizerPart& out, const Json& json) {
  const Json& pattern = json["pattern"];
  const SplitBehavior behavior = TRY(read_behavior(json));
  const bool invert = TRY(json.get_bool("invert", false));
  if (pattern.find("Regex")) {
    std::string text = TRY(pattern.get_string("Regex", ""));
    // Where newlines are pieces already, the linear form of this pattern means the same.
    const bool after_newlines = !out.patterns.empty() && out.patterns[0] == patterns::kNewline;
    if (after_newlines && text == patterns::kTrailingSpaceSlow) text = patterns::kTrailingSpace;
    return add_split(out, text, behavior, invert);
  }
  out.steps.add_literal_split(TRY(pattern.get_string("String", "")), behavior, invert);
  out.patterns.emplace_back();
  return {};
}

Result<void> add_step(PreTokenizerPart& out, const Json& json, int depth) {
  const std::string type = TRY(json.get_string("type", ""));
  if (type == "Sequence") {
    const Json& parts = json["pretokenizers"];
    if (depth > kDepthMax || !parts.is_array())
      return fail(Code::kCorrupt, "tokenizer.json: pre-tokenizer Sequence without its parts");
    for (const Json& part : parts.as_array()) TRY(add_step(out, part, depth + 1));
    return {};
  }
  if (type == "ByteLevel") {
    out.byte_level = true;
    if (TRY(json.get_bool("add_prefix_space", true))) out.steps.add_prefix_space();
    if (!TRY(json.get_bool("use_regex", true))) return {};
    return add_split(out, patterns::kGpt2, SplitBehavior::kIsolated, false);
  }
  if (type == "Split") return add_split_json(out, json);
  if (type == "Digits") {
    if (TRY(json.get_bool("individual_digits", false)))
      return add_split(out, patterns::kNumber, SplitBehavior::kIsolated, false);
    return add_split(out, R"(\p{N}+)", SplitBehavior::kIsolated, false);
  }
  if (type == "Punctuation") {
    out.steps.add_character_split(is_punctuation, TRY(read_behavior(json)));
    return {};
  }
  if (type == "WhitespaceSplit") {
    out.steps.add_character_split(is_white_space, SplitBehavior::kRemoved);
    return {};
  }
  if (type == "Whitespace") {
    out.steps.add_cut(cut_words());
    return {};
  }
  if (type == "Metaspace") return add_metaspace(out, json);
  return fail(Code::kUnsupported, "tokenizer.json: pre-tokenizer '{}' is not supported", type);
}

Result<void> add_decoder(DecoderPart& out, const Json& json, int depth) {
  const std::string type = TRY(json.get_string("type", ""));
  if (type == "Sequence") {
    const Json& parts = json["decoders"];
    if (depth > kDepthMax || !parts.is_array())
      return fail(Code::kCorrupt, "tokenizer.json: decoder Sequence without its parts");
    for (const Json& part : parts.as_array()) TRY(add_decoder(out, part, depth + 1));
    return {};
  }
  if (type == "ByteLevel") {
    out.byte_level = true;
  } else if (type == "Metaspace") {
    const bool prefix = TRY(json.get_bool("add_prefix_space", true));
    out.unescape_spaces = true;
    out.strips_leading_space =
        TRY(json.get_string("prepend_scheme", prefix ? "always" : "never")) != "never";
  } else if (type == "Replace") {
    const std::string from = TRY(json["pattern"].get_string("String", ""));
    const std::string to = TRY(json.get_string("content", ""));
    if (from != kSpaceMark || to != " ")
      return fail(Code::kUnsupported, "tokenizer.json: decoder Replace of '{}' by '{}'", from, to);
    out.unescape_spaces = true;
  } else if (type == "Strip") {
    const std::string content = TRY(json.get_string("content", " "));
    const int64_t start = TRY(json.get_int("start", 0)), stop = TRY(json.get_int("stop", 0));
    if (content != " " || start > 1 || start < 0 || stop != 0)
      return fail(Code::kUnsupported, "tokenizer.json: decoder Strip of '{}' {}..{}", content,
                  start, stop);
    out.strips_leading_space = start == 1;
  } else if (type != "ByteFallback" && type != "Fuse") {
    return fail(Code::kUnsupported, "tokenizer.json: decoder '{}' is not supported", type);
  }
  return {};
}

Result<void> check_id(int64_t id, const Vocabulary& vocabulary) {
  if (id >= 0 && id < static_cast<int64_t>(vocabulary.entries.size())) return {};
  return fail(Code::kCorrupt, "tokenizer.json: post_processor names the id {}, which is no entry",
              id);
}

Result<void> add_template(const Json& json, Vocabulary& vocabulary) {
  const Json& single = json["single"];
  if (!single.is_array())
    return fail(Code::kCorrupt, "tokenizer.json: TemplateProcessing without 'single'");
  bool before = true;
  for (const Json& item : single.as_array()) {
    if (item.find("Sequence")) {
      before = false;
      continue;
    }
    const std::string name = TRY(item["SpecialToken"].get_string("id", ""));
    const Json& ids = json["special_tokens"][name]["ids"];
    if (!ids.is_array())
      return fail(Code::kCorrupt, "tokenizer.json: TemplateProcessing lacks the ids of '{}'", name);
    for (const Json& id : ids.as_array()) {
      if (!id.is_int())
        return fail(Code::kCorrupt, "tokenizer.json: TemplateProcessing: an id of '{}' is {}", name,
                    id.kind());
      TRY(check_id(id.as_int(), vocabulary));
      (before ? vocabulary.prefix : vocabulary.suffix)
          .push_back(static_cast<TokenId>(id.as_int()));
    }
  }
  return {};
}

// "cls": ["<s>", 0], "sep": ["</s>", 2]
Result<void> add_pair(const Json& json, std::string_view name, Vocabulary& vocabulary,
                      std::vector<TokenId>& out) {
  const Json& pair = json[name];
  if (!pair.is_array() || pair.as_array().size() != 2 || !pair.as_array()[1].is_int())
    return fail(Code::kCorrupt, "tokenizer.json: post_processor: '{}' is no [token, id]", name);
  const int64_t id = pair.as_array()[1].as_int();
  TRY(check_id(id, vocabulary));
  out.push_back(static_cast<TokenId>(id));
  return {};
}

Result<void> add_processor(const Json& json, Vocabulary& vocabulary, int depth) {
  const std::string type = TRY(json.get_string("type", ""));
  if (type == "Sequence") {
    const Json& parts = json["processors"];
    if (depth > kDepthMax || !parts.is_array())
      return fail(Code::kCorrupt, "tokenizer.json: post_processor Sequence without its parts");
    for (const Json& part : parts.as_array()) TRY(add_processor(part, vocabulary, depth + 1));
    return {};
  }
  if (type == "ByteLevel") return {};
  if (type == "TemplateProcessing") return add_template(json, vocabulary);
  if (type == "RobertaProcessing" || type == "BertProcessing") {
    TRY(add_pair(json, "cls", vocabulary, vocabulary.prefix));
    return add_pair(json, "sep", vocabulary, vocabulary.suffix);
  }
  return fail(Code::kUnsupported, "tokenizer.json: post_processor '{}' is not supported", type);
}

}  // namespace

Result<PreTokenizerPart> read_pre_tokenizer(const Json& json) {
  PreTokenizerPart out;
  if (!json.is_null()) TRY(add_step(out, json, 0));
  return out;
}

Result<DecoderPart> read_decoder(const Json& json) {
  DecoderPart out;
  if (!json.is_null()) TRY(add_decoder(out, json, 0));
  return out;
}

Result<void> read_post_processor(const Json& json, Vocabulary& vocabulary) {
  if (json.is_null()) return {};
  return add_processor(json, vocabulary, 0);
}

}  // namespace hearth
