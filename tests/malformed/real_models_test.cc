// Real files, named by HEARTH_TEST_MODELS (a folder with .gguf files).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <set>

#include "base/rng.h"
#include "cut_source.h"
#include "samples.h"
#include "watch.h"

namespace hearth {
namespace {
namespace fs = std::filesystem;

std::vector<fs::path> models() {
  std::vector<fs::path> out;
  const char* folder = std::getenv("HEARTH_TEST_MODELS");
  if (folder == nullptr) return out;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".gguf") out.push_back(entry.path());
  std::ranges::sort(out);
  return out;
}

// Field boundaries ± 8 bytes. A long run of lengths and texts is an array of strings, of which
// the first and the last 16 fields stand for all.
std::set<uint64_t> boundaries(const std::vector<GgufFieldAt>& fields) {
  constexpr size_t kEnds = 16;
  auto is_string = [&](size_t i) {
    return fields[i].field == GgufField::kLength || fields[i].field == GgufField::kText;
  };
  std::set<uint64_t> out;
  uint64_t end = fields.back().offset + fields.back().bytes;
  for (size_t i = 0; i < fields.size(); ++i) {
    bool inside = i >= kEnds && i + kEnds < fields.size();
    for (size_t j = i - kEnds; inside && j <= i + kEnds; ++j) inside = is_string(j);
    if (inside) continue;
    for (uint64_t step = 0; step <= 16; ++step) {
      uint64_t cut = fields[i].offset + step - 8;
      if (cut < end) out.insert(cut);
    }
  }
  return out;
}

class RealModels : public testing::Test {
 protected:
  void SetUp() override {
    models_ = models();
    if (models_.empty())
      GTEST_SKIP() << "set HEARTH_TEST_MODELS to a folder with .gguf files to cut real ones";
  }
  std::vector<fs::path> models_;
};

void cut(std::span<const std::byte> all, uint64_t size, bool poison, Watch& watch) {
  watch.look([&] { return TensorFile::open_gguf(std::make_shared<CutSource>(all, size, poison)); },
             fmt::format("cut to {}", size));
}

TEST_F(RealModels, CutAtFieldBoundaries) {
  for (const fs::path& path : models_) {
    auto source = open_mapped(path).value();
    auto fields = fields_of(source);
    uint64_t header_bytes = fields.back().offset + fields.back().bytes;
    auto header = source->mapped().first(header_bytes);
    std::vector<std::byte> copy(header.begin(), header.end());
    Watch watch;
    for (uint64_t size : boundaries(fields)) {
      cut(copy, size, true, watch);
      if (HasFatalFailure()) return;
    }
    watch.expect_bounded(path.filename().string() + " at field boundaries");
    EXPECT_EQ(watch.opened(), 0u);
    EXPECT_GT(watch.refused(), 100u);
  }
}

TEST_F(RealModels, CutAtRandomPlaces) {
  for (const fs::path& path : models_) {
    auto source = open_mapped(path).value();
    auto fields = fields_of(source);
    uint64_t header_bytes = fields.back().offset + fields.back().bytes;
    auto header = source->mapped().first(header_bytes);
    std::vector<std::byte> copy(header.begin(), header.end());
    Watch watch;
    for (uint64_t i = 0; i < 1000 && !testing::Test::HasFatalFailure(); ++i) {
      auto x = philox(30, 0, i);
      uint64_t number = uint64_t{x[0]} << 32 | x[1];
      if (i % 2 == 0)
        cut(copy, number % header_bytes, true, watch);
      else
        cut(source->mapped(), number % source->size(), false, watch);
    }
    watch.expect_bounded(path.filename().string() + " at random places");
    EXPECT_LE(watch.opened(), 1u) << "at most a cut in the padding at the end";
  }
}

TEST_F(RealModels, CutAtEveryByteWithSmallVocabulary) {
  for (const fs::path& path : models_) {
    auto file = TensorFile::open(path);
    ASSERT_TRUE(file.has_value()) << file.error().message;
    std::string header = header_with_small_vocabulary(*file);
    std::vector<std::byte> copy(header.size());
    std::memcpy(copy.data(), header.data(), header.size());
    Watch watch;
    for (uint64_t size = 0; size < copy.size() && !HasFatalFailure(); ++size)
      cut(copy, size, true, watch);
    watch.expect_bounded(path.filename().string() + " with 512 tokens");
    EXPECT_EQ(watch.opened(), file->tensors().empty() ? watch.opened() : 0u);
  }
}

}  // namespace
}  // namespace hearth
