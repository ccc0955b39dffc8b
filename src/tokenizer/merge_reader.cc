#include "tokenizer/merge_reader.h"

#include <algorithm>
#include <array>
#include <string>

namespace hearth {
namespace {

// One pair on its way. A vocabulary of 260,000 entries does not fit the caches, and half a million
// pairs look up three entries each: they go through in blocks, step by step, so that the waits for
// memory fall together (162 ms became 91 when it was measured).
struct Work {
  std::string_view left, right;
  uint64_t left_hash = 0, right_hash = 0, joined_hash = 0;
  TokenId left_id = -1, right_id = -1, joined_id = -1;
};

class Reader {
 public:
  Reader(const Vocabulary& vocabulary, size_t merges, bool replace)
      : vocabulary_(vocabulary), replace_(replace) {
    out_.table.reserve(merges);
  }

  void add_block(const MergePair* pairs, size_t count, size_t first_rank) {
    for (size_t i = 0; i < count; ++i) begin(work_[i], pairs[i], first_rank + i);
    for (size_t i = 0; i < count; ++i) {
      index().prefetch_entry(work_[i].left_hash, vocabulary_.entries);
      index().prefetch_entry(work_[i].right_hash, vocabulary_.entries);
      if (work_[i].joined_id < 0)
        index().prefetch_entry(work_[i].joined_hash, vocabulary_.entries);
    }
    for (size_t i = 0; i < count; ++i) look_up(work_[i]);
    for (size_t i = 0; i < count; ++i) finish(work_[i], first_rank + i);
  }

  ReadMerges take() { return std::move(out_); }

  static constexpr size_t kBlock = 64;

 private:
  const EntryIndex& index() const { return vocabulary_.index; }

  std::string_view joined(const Work& work) {
    buffer_.assign(work.left);
    buffer_ += work.right;
    return buffer_;
  }

  // Merges mostly come in the order of the entries that they make, so the entry as far on from the
  // rank as the last one is tried before the index.
  TokenId guess(const MergePair& pair, size_t rank) const {
    const size_t id = rank + ahead_;
    if (id >= vocabulary_.entries.size()) return -1;
    const std::string& entry = vocabulary_.entries[id];
    const bool fits = entry.size() == pair.left.size() + pair.right.size() &&
                      entry.starts_with(pair.left) && entry.ends_with(pair.right) &&
                      vocabulary_.kinds[id] == TokenKind::kNormal;
    return fits ? static_cast<TokenId>(id) : -1;
  }

  void begin(Work& work, const MergePair& pair, size_t rank) {
    work = {.left = pair.left, .right = pair.right};
    work.left_hash = EntryIndex::hash(work.left);
    work.right_hash = EntryIndex::hash(work.right);
    index().prefetch_slot(work.left_hash);
    index().prefetch_slot(work.right_hash);
    work.joined_id = guess(pair, rank);
    if (work.joined_id >= 0) return;
    work.joined_hash = EntryIndex::hash(joined(work));
    index().prefetch_slot(work.joined_hash);
  }

  void look_up(Work& work) {
    const auto& entries = vocabulary_.entries;
    work.left_id = index().find(work.left, work.left_hash, entries);
    work.right_id = index().find(work.right, work.right_hash, entries);
    if (work.left_id < 0 || work.right_id < 0) work.joined_id = -1;
    else if (work.joined_id < 0)
      work.joined_id = index().find(joined(work), work.joined_hash, entries);
    out_.table.prefetch(work.left_id, work.right_id);
  }

  void finish(const Work& work, size_t rank) {
    if (work.joined_id < 0) {
      if (!out_.unknown) out_.unknown = rank;
      return;
    }
    ahead_ = static_cast<size_t>(work.joined_id) - rank;  // may wrap: it is added to a rank again
    const TokenKind kind = vocabulary_.kinds[static_cast<size_t>(work.joined_id)];
    if (kind == TokenKind::kControl || kind == TokenKind::kUnknown) return;
    out_.table.add(work.left_id, work.right_id, {static_cast<uint32_t>(rank), work.joined_id},
                   replace_);
  }

  const Vocabulary& vocabulary_;
  bool replace_;
  size_t ahead_ = 256;
  ReadMerges out_;
  std::array<Work, kBlock> work_;
  std::string buffer_;
};

}  // namespace

ReadMerges read_merges(const Vocabulary& vocabulary, const std::vector<MergePair>& pairs,
                       bool replace) {
  Reader reader(vocabulary, pairs.size(), replace);
  for (size_t at = 0; at < pairs.size(); at += Reader::kBlock)
    reader.add_block(pairs.data() + at, std::min(Reader::kBlock, pairs.size() - at), at);
  return reader.take();
}

}  // namespace hearth
