// Batch: what one step of the engine computes. Rows of any number of sequences side by side (a
// ragged batch): a prompt in pieces, one token each for those that are generating, or both.
// Positions, not array indices, are the truth.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace hearth {

using SequenceId = int32_t;

struct BatchRow {
  SequenceId sequence = 0;
  int32_t position = 0;
  bool wants_logits = false;
  int32_t adapter = -1;  // -1: none
  int32_t tap = -1;      // the layer whose output is wanted too; -1: none
};

// What feeds rows [first_row, first_row + count): token ids, or embeddings of the model's width
// (images), one after the other.
struct InputSegment {
  int64_t first_row = 0;
  std::span<const TokenId> tokens;
  std::span<const float> embeddings;
};

// REQUIRES: rows of one sequence are neighbours with rising, gapless positions; segments cover
// every row once, in order.
struct Batch {
  std::vector<BatchRow> rows;
  std::vector<InputSegment> inputs;

  // Appends rows for `tokens` of one sequence from `position` on; the last wants logits, or all.
  void add(SequenceId sequence, int32_t position, std::span<const TokenId> tokens,
           bool all_logits = false);
};

}  // namespace hearth
