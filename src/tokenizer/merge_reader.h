// From merges written as pairs of entries to a MergeTable of ids.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "tokenizer/merge_table.h"
#include "tokenizer/vocabulary.h"

namespace hearth {

struct MergePair {
  std::string_view left, right;
};

struct ReadMerges {
  MergeTable table;
  // The first pair of which one of the two entries, or the one that they make, is absent.
  std::optional<size_t> unknown;
};

// The rank of a pair is its place in the list. Pairs with an absent entry are left out. Those that
// make a control token are left out silently: text never becomes one. Of two equal pairs the
// first counts; with `replace` the later. REQUIRES: vocabulary.index is built.
ReadMerges read_merges(const Vocabulary& vocabulary, const std::vector<MergePair>& pairs,
                       bool replace);

}  // namespace hearth
