#include "tokenizer/bpe_tokenizer.h"

#include <algorithm>
#include <optional>

#include "base/utf8.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/merge_reader.h"

namespace hearth {
namespace {

// "<0x0A>"
std::string byte_entry(int byte) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  return {'<', '0', 'x', kDigits[byte >> 4], kDigits[byte & 15], '>'};
}

}  // namespace

BpeTokenizer::BpeTokenizer(Vocabulary vocabulary, Normalizer normalizer,
                           PreTokenizer pre_tokenizer, MergeTable merges,
                           const BpeOptions& options)
    : TextTokenizer(std::move(vocabulary), std::move(normalizer)),
      pre_tokenizer_(std::move(pre_tokenizer)),
      merges_(std::move(merges)),
      options_(options) {
  strips_leading_space_ = options.strips_leading_space;
  for (int byte = 0; byte < 256; ++byte) {
    std::string text;
    if (options.byte_level) append_utf8(text, byte_to_alphabet(static_cast<uint8_t>(byte)));
    else text = byte_entry(byte);
    byte_ids_[static_cast<size_t>(byte)] = find_in_model(text);
  }
  cuts_words_ = !options.byte_level && may_cut_words();
  if (cuts_words_) cutter_.build(entries_);
}

void BpeTokenizer::encode_plain(std::string_view text, size_t lead, EncodeScratch& scratch,
                                std::vector<TokenId>& out) const {
  pre_tokenizer_.run(text, lead, scratch.regex, [&](std::string_view word) {
    while (!word.empty()) {
      size_t end = cuts_words_ ? cutter_.word_end(word, 0) : word.size();
      end = std::min(end, kWordBytesMax);
      encode_word(word.substr(0, end), scratch, out);
      word.remove_prefix(end);
    }
  });
}

void BpeTokenizer::encode_word(std::string_view word, EncodeScratch& scratch,
                               std::vector<TokenId>& out) const {
  WordCache::Slot* slot = scratch.cache.slot_of(word);
  if (slot && slot->holds(word)) {
    out.insert(out.end(), slot->ids.begin(), slot->ids.begin() + slot->count);
    return;
  }
  const size_t before = out.size();
  const TokenId whole = options_.ignore_merges ? whole_word(word, scratch) : -1;
  if (whole >= 0) out.push_back(whole);
  else merge_word(word, scratch, out);
  if (slot) WordCache::store(*slot, word, out.data() + before, out.size() - before);
}

TokenId BpeTokenizer::whole_word(std::string_view word, EncodeScratch& scratch) const {
  std::string_view text = word;
  if (options_.byte_level) {
    scratch.text.clear();
    append_byte_level(scratch.text, word);
    text = scratch.text;
  }
  return find_in_model(text);
}

void BpeTokenizer::merge_word(std::string_view word, EncodeScratch& scratch,
                              std::vector<TokenId>& out) const {
  std::vector<Symbol>& symbols = scratch.symbols;
  symbols.clear();
  if (options_.byte_level) split_bytes(word, symbols);
  else split_characters(word, symbols);
  if (symbols.empty()) return;
  merge_symbols(symbols, scratch.heap, [this](const Symbol& left, const Symbol& right) {
    return merges_.find(left.id, right.id);
  });
  for (uint32_t at = 0; at != kNoSymbol; at = symbols[at].next) out.push_back(symbols[at].id);
}

void BpeTokenizer::split_bytes(std::string_view word, std::vector<Symbol>& symbols) const {
  symbols.reserve(word.size());
  for (size_t at = 0; at < word.size(); ++at) {
    const TokenId known = byte_ids_[static_cast<uint8_t>(word[at])];
    const TokenId id = known >= 0 ? known : unknown_;
    // As in the reference, a byte without an entry leaves no trace: its neighbours may be merged.
    if (id >= 0) symbols.push_back({.begin = static_cast<uint32_t>(at), .bytes = 1, .id = id});
  }
}

// An unknown character waits for the next known one, so that others can be fused with it; the
// bytes of a character with byte fallback do not count as known, as in the reference.
void BpeTokenizer::split_characters(std::string_view word, std::vector<Symbol>& symbols) const {
  std::optional<Symbol> waiting;
  const auto flush = [&] {
    if (waiting) symbols.push_back(*waiting);
    waiting.reset();
  };
  const bool plain = options_.continuing_prefix.empty() && options_.word_suffix.empty();
  std::string written;
  for (size_t at = 0; at < word.size();) {
    const auto begin = static_cast<uint32_t>(at);
    const auto bytes = static_cast<uint32_t>(decode_utf8(word, at).bytes);
    std::string_view text = word.substr(at, bytes);
    at += bytes;
    if (!plain) {
      written = begin > 0 ? options_.continuing_prefix : "";
      written += text;
      if (at == word.size()) written += options_.word_suffix;
      text = written;
    }
    const TokenId id = find_in_model(text);
    if (id >= 0) {
      flush();
      symbols.push_back({.begin = begin, .bytes = bytes, .id = id});
    } else if (options_.byte_fallback && push_bytes(text, begin, symbols)) {
      continue;
    } else if (unknown_ >= 0) {
      if (!options_.fuse_unknown) flush();
      if (!waiting) waiting = Symbol{.begin = begin, .id = unknown_};
      waiting->bytes += bytes;
    }
  }
  flush();
}

// The bytes of a character, if all of them are entries.
bool BpeTokenizer::push_bytes(std::string_view text, uint32_t begin,
                              std::vector<Symbol>& symbols) const {
  for (const char c : text)
    if (byte_ids_[static_cast<uint8_t>(c)] < 0) return false;
  for (const char c : text)
    symbols.push_back({.begin = begin, .bytes = 1, .id = byte_ids_[static_cast<uint8_t>(c)]});
  return true;
}

// Whether a word may be cut before spaces that no entry joins to what is before them: not where
// characters may vanish or be fused across a space.
bool BpeTokenizer::may_cut_words() const {
  const bool plain = options_.continuing_prefix.empty() && options_.word_suffix.empty();
  const bool all_bytes = options_.byte_fallback &&
                         std::find(byte_ids_.begin(), byte_ids_.end(), -1) == byte_ids_.end();
  return plain && find_in_model(kSpaceMark) >= 0 && (unknown_ >= 0 || all_bytes);
}

std::string BpeTokenizer::entry_bytes(std::string_view entry) const {
  std::string out;
  if (options_.byte_level) {
    if (!append_from_byte_level(out, entry)) out = entry;
    return out;
  }
  if (!options_.unescape_spaces) return std::string(entry);
  size_t at = 0;
  for (size_t mark; (mark = entry.find(kSpaceMark, at)) != std::string_view::npos;
       at = mark + kSpaceMark.size()) {
    out += entry.substr(at, mark - at);
    out += ' ';
  }
  return out += entry.substr(at);
}

Result<std::shared_ptr<const Tokenizer>> make_bpe_from_gguf(const Metadata& metadata) {
  Vocabulary vocabulary = TRY(read_gguf_vocabulary(metadata));
  if (vocabulary.model_name == "gemma4") vocabulary.pre_name = "gemma4";
  if (vocabulary.pre_name.empty()) {
    // Files older than the key; all models of GPT-NeoX's architecture cut as GPT-2 does.
    const bool neox = TRY(metadata.text("general.architecture", "")) == "gptneox";
    vocabulary.pre_name = neox ? "gpt-2" : "default";
  }
  const PreTokenizerRow* row = find_pre_tokenizer(vocabulary.pre_name);
  if (!row)
    return fail(Code::kUnsupported, "tokenizer.ggml.pre: the pre-tokenizer '{}' is not supported",
                vocabulary.pre_name.substr(0, 100));
  const MetaArray& lines = *TRY(metadata.array("tokenizer.ggml.merges", MetaType::kString));
  if (lines.strings.size() > kEntriesMax)
    return fail(Code::kTooLarge, "tokenizer.ggml.merges: {} items (at most {})",
                lines.strings.size(), kEntriesMax);
  std::vector<MergePair> pairs;
  pairs.reserve(lines.strings.size());
  for (const std::string_view line : lines.strings) {
    const size_t space = line.find(' ', 1);
    // A line without a space keeps its rank.
    if (space == std::string_view::npos) pairs.push_back({});
    else pairs.push_back({line.substr(0, space), line.substr(space + 1)});
  }
  ReadMerges merges = read_merges(vocabulary, pairs, false);
  vocabulary.add_bos = TRY(metadata.boolean("tokenizer.ggml.add_bos_token", row->add_bos));
  vocabulary.add_eos = TRY(metadata.boolean("tokenizer.ggml.add_eos_token", false));
  vocabulary.set_affixes();
  // Files name an unknown token, often one that ends a text; the reference never makes it here.
  if (row->byte_level) vocabulary.unknown = -1;
  PreTokenizer pre;
  for (const std::string_view pattern : row->patterns)
    TRY(pre.add_split(std::string(pattern),
                      row->words_only ? SplitBehavior::kRemoved : SplitBehavior::kIsolated,
                      row->words_only));
  TRY(pre.finish());
  Normalizer normalizer;
  if (!row->byte_level && !row->words_only) normalizer.add_replace(" ", std::string(kSpaceMark));
  const BpeOptions options{.byte_level = row->byte_level,
                           .ignore_merges = row->ignore_merges,
                           .byte_fallback = !row->byte_level,
                           .unescape_spaces = !row->byte_level};
  return std::make_shared<const BpeTokenizer>(std::move(vocabulary), std::move(normalizer),
                                              std::move(pre), std::move(merges.table), options);
}

}  // namespace hearth
