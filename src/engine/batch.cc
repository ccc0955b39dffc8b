#include "engine/batch.h"

namespace hearth {

void Batch::add(SequenceId sequence, int32_t position, std::span<const TokenId> tokens,
                bool all_logits) {
  inputs.push_back({.first_row = static_cast<int64_t>(rows.size()), .tokens = tokens});
  for (size_t i = 0; i < tokens.size(); ++i)
    rows.push_back({.sequence = sequence,
                    .position = position + static_cast<int32_t>(i),
                    .wants_logits = all_logits || i + 1 == tokens.size()});
}

}  // namespace hearth
