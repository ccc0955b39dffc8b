#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>

#include "base/file.h"
#include "cut_source.h"
#include "mutate.h"
#include "samples.h"
#include "watch.h"

namespace hearth {
namespace {

std::vector<std::string> samples() {
  auto fixture = read_file(HEARTH_TEST_DATA "/container/plain.safetensors", 1 << 20);
  EXPECT_TRUE(fixture.has_value());
  return {sample_safetensors(), fixture.value_or("")};
}

TEST(MalformedSafetensors, CutAtEveryByte) {
  Watch watch;
  for (const std::string& sample : samples()) {
    std::vector<std::byte> all(sample.size());
    std::memcpy(all.data(), sample.data(), sample.size());
    for (uint64_t size = 0; size <= all.size(); ++size) {
      uint64_t opened = watch.opened();
      auto open = [&] {
        return TensorFile::open_safetensors(std::make_shared<CutSource>(all, size, true));
      };
      watch.look(open, fmt::format("cut to {}", size));
      if (HasFatalFailure()) return;
      ASSERT_EQ(watch.opened() - opened, size == all.size() ? 1u : 0u) << "cut to " << size;
    }
  }
  watch.expect_bounded("safetensors cut at every byte");
}

TEST(MalformedSafetensors, BentHeaders) {
  Watch watch;
  auto all = samples();
  for (uint64_t number = 0; number < mutants(2000); ++number) {
    std::string mutant = mutate_safetensors(all[number % all.size()], number);
    watch.look([&] { return TensorFile::open_safetensors(source_of_text(mutant)); },
               fmt::format("mutant {}", number));
    if (HasFatalFailure()) return;
  }
  watch.expect_bounded("safetensors, bent headers");
  EXPECT_GT(watch.refused(), mutants(1000));
  EXPECT_GT(watch.opened(), mutants(40));
}

}  // namespace
}  // namespace hearth
