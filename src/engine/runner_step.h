// What the parts of a Runner share about the step that is running.
#pragma once

#include <vector>

#include "engine/runner.h"

namespace hearth {

struct Runner::Step {
  struct Run {  // neighbouring rows of one sequence
    SequenceId sequence;
    int64_t begin, end;
  };
  const Batch* batch = nullptr;
  KvCache* cache = nullptr;
  const LogitsSink* sink = nullptr;
  int64_t rows = 0;
  std::vector<Run> runs;
  std::vector<int32_t> positions;
  std::vector<const InputSegment*> segment_of;
  std::vector<int64_t> logit_rows;

  void clear() {
    rows = 0;
    runs.clear(), positions.clear(), segment_of.clear(), logit_rows.clear();
  }
};

}  // namespace hearth
