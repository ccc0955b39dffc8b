// The limits on what a malformed file may cost, and the counts of what happened.
#pragma once

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/utf8.h"
#include "container/tensor_file.h"
#include "exercise.h"

namespace hearth {

class Watch {
 public:
  static constexpr double kSecondsMax = 2;
  static constexpr uint64_t kBytesMax = 512ull << 20;

  Watch() : peak_before_(peak()) {}

  // Opens by `open`, exercises what opens, and holds it to the limits. `which` names the case.
  template <class Open>
  void look(Open&& open, std::string_view which) {
    auto start = std::chrono::steady_clock::now();
    Result<TensorFile> file = open();
    if (file) sum_ += exercise(*file);
    std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    slowest_ = std::max(slowest_, took.count());
    ASSERT_LT(took.count(), kSecondsMax) << which;
    if (file) {
      ++opened_;
      return;
    }
    ++refused_;
    const std::string& message = file.error().message;
    ASSERT_FALSE(message.empty()) << which;
    ASSERT_EQ(message.find('\n'), std::string::npos) << which << ": " << message;
    ASSERT_TRUE(is_valid_utf8(message)) << which;
    ASSERT_LT(message.size(), 1000u) << which << ": " << message;
    ASSERT_NE(file.error().code, Code::kInternal) << which << ": " << message;
  }

  // Call at the end of a test.
  void expect_bounded(std::string_view what) const {
    uint64_t grown = peak() - peak_before_;
    EXPECT_LT(grown, kBytesMax);
    std::printf("%.*s: %llu refused, %llu opened, slowest %.1f ms, peak memory +%llu MiB\n",
                static_cast<int>(what.size()), what.data(),
                static_cast<unsigned long long>(refused_), static_cast<unsigned long long>(opened_),
                slowest_ * 1e3, static_cast<unsigned long long>(grown >> 20));
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
};

}  // namespace hearth
