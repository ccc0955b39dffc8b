#include "tokenizer/normalizer.h"

#include "base/utf8.h"

namespace hearth {
namespace {

using Steps = std::vector<NormalizerStepPtr>;

Result<void> read_prepend(const Json& json, Steps& out) {
  out.push_back(make_prepend_step(TRY(json.get_string("prepend", ""))));
  return {};
}

Result<void> read_replace(const Json& json, Steps& out) {
  const Json& pattern = json["pattern"];
  std::string to = TRY(json.get_string("content", ""));
  if (pattern.find("Regex")) {
    Regex regex = TRY(Regex::compile(TRY(pattern.get_string("Regex", ""))));
    out.push_back(make_replace_step(std::move(regex), std::move(to)));
    return {};
  }
  if (!pattern.find("String"))
    return fail(Code::kCorrupt, "tokenizer.json: normalizer Replace without a pattern");
  out.push_back(make_replace_step(TRY(pattern.get_string("String", "")), std::move(to)));
  return {};
}

Result<void> read_strip(const Json& json, Steps& out) {
  out.push_back(make_strip_step(TRY(json.get_bool("strip_left", true)),
                                TRY(json.get_bool("strip_right", true))));
  return {};
}

template <NormalForm kForm>
Result<void> read_form(const Json&, Steps& out) {
  out.push_back(make_normal_form_step(kForm));
  return {};
}

template <CharacterRule kRule>
Result<void> read_rule(const Json&, Steps& out) {
  out.push_back(make_character_step(kRule));
  return {};
}

Result<void> read_byte_level(const Json&, Steps& out) {
  out.push_back(make_byte_level_step());
  return {};
}

Result<void> read_precompiled(const Json& json, Steps& out) {
  out.push_back(TRY(make_charsmap_step(TRY(json.get_string("precompiled_charsmap", "")))));
  return {};
}

Result<void> read_bert(const Json& json, Steps& out) {
  const bool lowercase = TRY(json.get_bool("lowercase", true));
  const Json& accents = json["strip_accents"];
  if (!accents.is_null() && !accents.is_bool())
    return fail(Code::kInvalid, "strip_accents is {}, not true, false or null", accents.kind());
  if (TRY(json.get_bool("clean_text", true)))
    out.push_back(make_character_step(clean_bert_character));
  if (TRY(json.get_bool("handle_chinese_chars", true)))
    out.push_back(make_character_step(space_chinese_character));
  if (accents.is_bool() ? accents.as_bool() : lowercase) {
    out.push_back(make_normal_form_step(NormalForm::kNfd));
    out.push_back(make_character_step(drop_nonspacing_marks));
  }
  if (lowercase) out.push_back(make_character_step(lowercase_character));
  return {};
}

struct Row {
  std::string_view type;
  Result<void> (*read)(const Json&, Steps&);
};

constexpr Row kRows[] = {
    {"BertNormalizer", read_bert},
    {"ByteLevel", read_byte_level},
    {"Lowercase", read_rule<lowercase_character>},
    {"NFC", read_form<NormalForm::kNfc>},
    {"NFD", read_form<NormalForm::kNfd>},
    {"NFKC", read_form<NormalForm::kNfkc>},
    {"NFKD", read_form<NormalForm::kNfkd>},
    {"Nmt", read_rule<clean_nmt_character>},
    {"Precompiled", read_precompiled},
    {"Prepend", read_prepend},
    {"Replace", read_replace},
    {"Strip", read_strip},
    {"StripAccents", read_rule<drop_marks>},
};

}  // namespace

void Normalizer::add_prepend(std::string text) { add(make_prepend_step(std::move(text))); }

void Normalizer::add_replace(std::string from, std::string to) {
  add(make_replace_step(std::move(from), std::move(to)));
}

Result<Normalizer> Normalizer::from_json(const Json& json) {
  Normalizer made;
  if (!json.is_null()) TRY(made.add_json(json, 0));
  return made;
}

Result<void> Normalizer::add_json(const Json& json, int depth) {
  constexpr int kDepthMax = 8;
  const std::string type = TRY(json.get_string("type", ""));
  if (type == "Sequence") {
    const Json& parts = json["normalizers"];
    if (depth > kDepthMax || !parts.is_array())
      return fail(Code::kCorrupt, "tokenizer.json: normalizer Sequence without its parts");
    for (const Json& part : parts.as_array()) TRY(add_json(part, depth + 1));
    return {};
  }
  for (const Row& row : kRows) {
    if (row.type != type) continue;
    TRY(row.read(json, steps_));
    if (steps_.size() <= kStepsMax) return {};
    return fail(Code::kUnsupported, "a normalizer of more than {} steps", kStepsMax);
  }
  return fail(Code::kUnsupported, "tokenizer.json: normalizer '{}' is not supported",
              type.substr(0, 100));
}

NormalText Normalizer::run_with_lead(std::string_view text, RegexScratch& scratch) const {
  NormalText out{std::string(text), text.empty() ? size_t{0} : decode_utf8(text, 0).bytes};
  for (const auto& step : steps_) {
    out = step->run(std::move(out), scratch);
    // Hostile steps may each multiply what they are given.
    if (out.text.size() > kGrowthMax + kGrowthRatio * text.size()) break;
  }
  return out;
}

std::string Normalizer::run(std::string_view text, RegexScratch& scratch) const {
  return run_with_lead(text, scratch).text;
}

}  // namespace hearth
