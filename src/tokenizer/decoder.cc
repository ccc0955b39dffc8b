#include "tokenizer/decoder.h"

namespace hearth {
namespace {

Result<std::string> read_character(const Json& json, const char* name, std::string fallback) {
  std::string text = TRY(json.get_string(name, std::move(fallback)));
  if (text.empty() || decode_utf8(text, 0).bytes != text.size())
    return fail(Code::kCorrupt, "tokenizer.json: decoder: '{}' is not one character", name);
  return text;
}

Result<DecoderStepPtr> read_replace(const Json& json) {
  const Json& pattern = json["pattern"];
  std::string to = TRY(json.get_string("content", ""));
  if (pattern.find("Regex"))
    return make_pattern_replace_step(
        TRY(Regex::compile(TRY(pattern.get_string("Regex", "")))), std::move(to));
  if (!pattern.find("String"))
    return fail(Code::kCorrupt, "tokenizer.json: decoder Replace without a pattern");
  std::string from = TRY(pattern.get_string("String", ""));
  if (from.empty()) return make_pattern_replace_step(TRY(Regex::compile("")), std::move(to));
  return make_literal_replace_step(std::move(from), std::move(to));
}

Result<DecoderStepPtr> read_strip(const Json& json) {
  std::string content = TRY(read_character(json, "content", " "));
  const int64_t start = TRY(json.get_int("start", 0)), stop = TRY(json.get_int("stop", 0));
  if (start < 0 || stop < 0)
    return fail(Code::kCorrupt, "tokenizer.json: decoder Strip of {} and {} characters", start,
                stop);
  return make_token_strip_step(std::move(content), static_cast<size_t>(start),
                               static_cast<size_t>(stop));
}

Result<DecoderStepPtr> read_metaspace(const Json& json) {
  const bool prefix = TRY(json.get_bool("add_prefix_space", true));
  const std::string scheme = TRY(json.get_string("prepend_scheme", prefix ? "always" : "never"));
  return make_metaspace_step(TRY(read_character(json, "replacement", "\u2581")),
                             scheme != "never");
}

Result<DecoderStepPtr> read_wordpiece(const Json& json) {
  return make_wordpiece_step(TRY(json.get_string("prefix", "##")),
                             TRY(json.get_bool("cleanup", true)));
}

Result<DecoderStepPtr> read_suffix(const Json& json) {
  return make_suffix_step(TRY(json.get_string("suffix", "</w>")));
}

Result<DecoderStepPtr> read_ctc(const Json& json) {
  return make_ctc_step(TRY(json.get_string("pad_token", "<pad>")),
                       TRY(json.get_string("word_delimiter_token", "|")),
                       TRY(json.get_bool("cleanup", true)));
}

struct Row {
  std::string_view type;
  Result<DecoderStepPtr> (*read)(const Json&);
};

constexpr Row kRows[] = {
    {"BPEDecoder", read_suffix},
    {"ByteFallback",
     [](const Json&) -> Result<DecoderStepPtr> { return make_byte_fallback_step(); }},
    {"ByteLevel",
     [](const Json&) -> Result<DecoderStepPtr> { return make_byte_level_decoder_step(); }},
    {"CTC", read_ctc},
    {"Fuse", [](const Json&) -> Result<DecoderStepPtr> { return make_fuse_step(); }},
    {"Metaspace", read_metaspace},
    {"Replace", read_replace},
    {"Strip", read_strip},
    {"WordPiece", read_wordpiece},
};

}  // namespace

Result<Decoder> Decoder::from_json(const Json& json) {
  Decoder made;
  if (json.is_null()) made.steps_.push_back(make_join_step(" "));
  else TRY(made.add_json(json, 0));
  return made;
}

Result<void> Decoder::add_json(const Json& json, int depth) {
  constexpr int kDepthMax = 8;
  const std::string type = TRY(json.get_string("type", ""));
  if (type == "Sequence") {
    const Json& parts = json["decoders"];
    if (depth > kDepthMax || !parts.is_array())
      return fail(Code::kCorrupt, "tokenizer.json: decoder Sequence without its parts");
    for (const Json& part : parts.as_array()) TRY(add_json(part, depth + 1));
    return {};
  }
  for (const Row& row : kRows) {
    if (row.type != type) continue;
    steps_.push_back(TRY(row.read(json)));
    if (steps_.size() <= kStepsMax) return {};
    return fail(Code::kUnsupported, "a decoder of more than {} steps", kStepsMax);
  }
  return fail(Code::kUnsupported, "tokenizer.json: decoder '{}' is not supported",
              type.substr(0, 100));
}

void Decoder::add_cleanup() {
  constexpr std::pair<const char*, const char*> kEndings[] = {
      {" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"},
      {" 'm", "'m"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  steps_.push_back(make_fuse_step());
  for (const auto& [from, to] : kEndings) steps_.push_back(make_literal_replace_step(from, to));
}

DecoderRun::DecoderRun(const Decoder& decoder, bool middle) {
  DecoderStage* next = &sink_;
  for (size_t i = decoder.steps_.size(); i > 0; --i) {
    stages_.push_back(decoder.steps_[i - 1]->start(*next, i == decoder.steps_.size()));
    next = stages_.back().get();
    next->set_budget(growth_left_);
  }
  for (const auto& stage : stages_)
    if (middle) stage->skip_start();
}

void DecoderRun::push(std::string_view token, std::string& out) {
  DecoderStage& first = stages_.empty() ? sink_ : *stages_.back();
  first.text(token);
  first.end();
  out += sink_.collected;
  sink_.collected.clear();
}

void DecoderRun::finish(bool middle, std::string& out) {
  DecoderStage& first = stages_.empty() ? sink_ : *stages_.back();
  first.finish(middle);
  out += sink_.collected;
  sink_.collected.clear();
}

}  // namespace hearth
