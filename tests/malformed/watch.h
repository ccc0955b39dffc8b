// The limits on what a malformed file may cost, and the counts of what happened.
#pragma once

#include <fmt/core.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "base/result.h"
#include "container/tensor_file.h"
#include "exercise.h"
#include "support/long.h"

namespace hearth {

// How many mutants are read: a tenth of them where tests are brief.
inline uint64_t mutants(uint64_t full) {
  return test::at_length(full, full / 10);
}

class Watch {
 public:
  static constexpr double kSecondsMax = 2;
  static constexpr uint64_t kBytesMax = 512ull << 20;

  Watch() : peak_before_(peak()) {}

  // Opens by `open`, exercises what opens by `use`, and holds both to the limits. `which` names the
  // case.
  template <class Open, class Use>
  void look(Open&& open, Use&& use, std::string_view which) {
    SCOPED_TRACE(which);
    auto start = std::chrono::steady_clock::now();
    auto file = open();
    if (file) sum_ += use(*file);
    else expect_clear(file.error());
    (file ? opened_ : refused_) += 1;
    std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    if (took.count() > slowest_) slowest_ = took.count(), slowest_case_ = which;
    ASSERT_LT(took.count(), kSecondsMax);
    ASSERT_FALSE(testing::Test::HasFailure());
  }

  template <class Open>
  void look(Open&& open, std::string_view which) {
    look(open, [](const TensorFile& file) { return exercise(file); }, which);
  }

  // Call at the end of a test.
  void expect_bounded(std::string_view what) const {
    uint64_t grown = peak() - peak_before_;
    EXPECT_LT(grown, kBytesMax);
    fmt::print("{}: {} refused, {} opened, slowest {:.1f} ms ({}), peak memory +{} MiB\n", what,
               refused_, opened_, slowest_ * 1e3, slowest_case_, grown >> 20);
    std::fflush(stdout);  // the long cases take minutes each
  }

  uint64_t opened() const { return opened_; }
  uint64_t refused() const { return refused_; }

 private:
  static uint64_t peak() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<uint64_t>(usage.ru_maxrss) << 10;
  }

  uint64_t peak_before_;
  uint64_t opened_ = 0, refused_ = 0, sum_ = 0;
  double slowest_ = 0;
  std::string slowest_case_ = "none";
};

}  // namespace hearth
