#include "tokenizer/text_tokenizer.h"

#include <algorithm>

#include "base/check.h"
#include "base/utf8.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/decoder.h"
#include "tokenizer/limits.h"
#include "tokenizer/post_processor.h"

namespace hearth {

std::unique_ptr<EncodeScratch> ScratchPool::take() {
  {
    const std::lock_guard lock(mutex_);
    if (!free_.empty()) {
      auto scratch = std::move(free_.back());
      free_.pop_back();
      return scratch;
    }
  }
  return std::make_unique<EncodeScratch>();
}

void ScratchPool::give_back(std::unique_ptr<EncodeScratch> scratch) {
  // A hostile text may have made them large; what is kept stays small.
  constexpr size_t kKeptItems = 1 << 16;
  if (scratch->symbols.capacity() > kKeptItems) scratch->symbols = {};
  if (scratch->heap.capacity() > kKeptItems) scratch->heap = {};
  if (scratch->text.capacity() > kKeptItems) scratch->text = {};
  const std::lock_guard lock(mutex_);
  if (free_.size() < kKeptMax) free_.push_back(std::move(scratch));
}

TextTokenizer::TextTokenizer(Vocabulary vocabulary, Normalizer normalizer)
    : scores_(std::move(vocabulary.scores)),
      unknown_(vocabulary.unknown),
      model_end_(vocabulary.model_end),
      normalizer_(std::move(normalizer)),
      prefix_(std::move(vocabulary.prefix)),
      suffix_(std::move(vocabulary.suffix)),
      first_prefix_(std::move(vocabulary.first_prefix)) {
  CHECK(vocabulary.kinds.size() == vocabulary.entries.size());
  guard_turn_tokens(vocabulary);
  entries_ = std::move(vocabulary.entries);
  index_ = std::move(vocabulary.index);
  kinds_ = std::move(vocabulary.kinds);
  end_ids_ = std::move(vocabulary.end_ids);
  bos_ = vocabulary.bos;
  eos_ = vocabulary.eos;
  add_bos_ = vocabulary.add_bos;
  add_eos_ = vocabulary.add_eos;
  model_name_ = std::move(vocabulary.model_name);
  pre_name_ = std::move(vocabulary.pre_name);
  decode_rules_ = std::move(vocabulary.decode_rules);
  decoder_ = std::move(vocabulary.decoder);
  normalized_entries_ = std::move(vocabulary.normalized_entries);
  truncation_ = vocabulary.truncation;
  padding_ = std::move(vocabulary.padding);
  post_processor_ = std::move(vocabulary.post_processor);
  if (!post_processor_) post_processor_ = std::make_shared<const PostProcessor>(prefix_, suffix_);
  has_affixes_ = post_processor_->affixes(prefix_, suffix_);
  specials_.build(std::move(vocabulary.specials));
  normalized_specials_.build(std::move(vocabulary.normalized_specials));
}

namespace {

bool overlaps(std::span<const TextRange> ranges, size_t begin, size_t end) {
  const auto after = std::partition_point(ranges.begin(), ranges.end(),
                                          [&](const TextRange& r) { return r.end <= begin; });
  return after != ranges.end() && after->begin < end;
}

}  // namespace

std::vector<TokenId> TextTokenizer::encode(std::string_view text, EncodeOptions options) const {
  std::vector<TokenId> out;
  if (!has_affixes_) {
    encode_body(text, options, out);
    return post_processor_->apply(out, nullptr, options.add_special).ids;
  }
  if (options.add_special) out = prefix_;
  encode_body(text, options, out);
  if (options.add_special) out.insert(out.end(), suffix_.begin(), suffix_.end());
  return out;
}

TextEncoding TextTokenizer::encode_pair(std::string_view first, std::string_view second,
                                    EncodeOptions options) const {
  options.foreign = {};
  std::vector<TokenId> ids[2];
  encode_body(first, options, ids[0]);
  encode_body(second, options, ids[1]);
  return post_processor_->apply(ids[0], &ids[1], options.add_special);
}

Result<std::vector<TextEncoding>> TextTokenizer::encode_batch(std::span<const TextPair> texts,
                                                          EncodeOptions options) const {
  options.foreign = {};
  std::vector<TextEncoding> out;
  for (const TextPair& text : texts) {
    std::vector<TokenId> first, second;
    encode_body(text.first, options, first);
    if (text.second) encode_body(*text.second, options, second);
    std::vector<TokenId>* pair = text.second ? &second : nullptr;
    const size_t added = options.add_special ? post_processor_->added(pair != nullptr) : 0;
    if (truncation_) TRY(truncate(first, pair, *truncation_, added));
    out.push_back(post_processor_->apply(first, pair, options.add_special));
  }
  if (padding_) TRY(pad(out, *padding_));
  return out;
}

void TextTokenizer::encode_body(std::string_view text, EncodeOptions options,
                                std::vector<TokenId>& out) const {
  auto scratch = pool_.take();
  for (const auto& part : specials_.split(text, options.parse_special, options.foreign)) {
    if (part.id >= 0) {
      out.push_back(part.id);
      continue;
    }
    const std::string_view piece = text.substr(part.begin, part.end - part.begin);
    const bool first = part.begin == 0;
    Origin origin{.lead = first ? decode_utf8(piece, 0).bytes : size_t{0},
                  .control = options.parse_special,
                  .foreign = overlaps(options.foreign, part.begin, part.end)};
    if (normalizer_.empty()) {
      encode_normalized(piece, origin, *scratch, out);
    } else {
      NormalText normalized = normalizer_.run_with_lead(piece, scratch->regex);
      if (first) origin.lead = normalized.lead;
      else if (normalized.text.starts_with(first_prefix_))
        normalized.text.erase(0, first_prefix_.size());
      encode_normalized(normalized.text, origin, *scratch, out);
    }
  }
  pool_.give_back(std::move(scratch));
}

// Nobody knows which bytes of a normalized text were foreign, so then all of them count as such.
void TextTokenizer::encode_normalized(std::string_view text, const Origin& origin,
                                      EncodeScratch& scratch, std::vector<TokenId>& out) const {
  if (normalized_specials_.empty()) return encode_plain(text, origin.lead, scratch, out);
  const TextRange whole{0, text.size()};
  const std::span<const TextRange> foreign(&whole, origin.foreign ? 1 : 0);
  for (const auto& part : normalized_specials_.split(text, origin.control, foreign)) {
    if (part.id >= 0) out.push_back(part.id);
    else encode_plain(text.substr(part.begin, part.end - part.begin),
                      part.begin < origin.lead ? origin.lead - part.begin : 0, scratch, out);
  }
}

std::string TextTokenizer::piece(TokenId id, bool special) const {
  if (id < 0 || id >= size()) return {};
  if (decoder_) {
    std::string out;
    DecoderRun run(*decoder_, true);
    if (const auto token = decoder_token(id, special)) run.push(*token, out);
    run.finish(true, out);
    return out;
  }
  const std::string& text = entry(id);
  switch (token_kind(id)) {
    case TokenKind::kUnknown:
      return special ? text : decode_rules_.unknown_text;
    case TokenKind::kControl:
      return special ? text : std::string();
    case TokenKind::kUserDefined:
      return decode_rules_.unescapes_user_defined ? entry_bytes(text) : text;
    case TokenKind::kByte: {
      const int byte = byte_of_entry(text);
      if (byte >= 0) return std::string(1, static_cast<char>(byte));
      return entry_bytes(text);
    }
    case TokenKind::kNormal:
    case TokenKind::kUnused:
      return entry_bytes(text);
  }
  return {};
}

std::string TextTokenizer::decode(std::span<const TokenId> ids, bool special) const {
  std::string out;
  if (decoder_) {
    DecoderRun run(*decoder_, false);
    for (const TokenId id : ids)
      if (const auto token = decoder_token(id, special)) run.push(*token, out);
    run.finish(false, out);
    return out;
  }
  bool start = true;
  for (const TokenId id : ids) {
    std::string bytes = piece(id, special);
    strip_start(id, bytes, start);
    out += bytes;
  }
  return decode_rules_.rewrite ? decode_rules_.rewrite(out) : out;
}

}  // namespace hearth
