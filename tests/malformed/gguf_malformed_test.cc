#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "base/file.h"
#include "cut_source.h"
#include "model/model.h"
#include "mutate.h"
#include "mutate_model.h"
#include "samples.h"
#include "watch.h"

namespace hearth {
namespace {

std::string fixture(std::string_view name) {
  auto text = read_file(fmt::format("{}/container/{}", HEARTH_TEST_DATA, name), 1 << 20);
  EXPECT_TRUE(text.has_value());
  return text.value_or("");
}

// Cut at every byte of the file, data included: all are refused, but for those that only lack
// padding after the last tensor.
void cut_everywhere(const std::string& bytes, std::string_view what) {
  Watch watch;
  auto whole = TensorFile::open_gguf(source_of_text(bytes));
  ASSERT_TRUE(whole.has_value()) << whole.error().message;
  uint64_t data_end = 0;
  for (const TensorInfo& tensor : whole->tensors())
    data_end = std::max(data_end, tensor.offset + tensor.bytes);
  std::vector<std::byte> all(bytes.size());
  std::memcpy(all.data(), bytes.data(), bytes.size());
  for (uint64_t size = 0; size <= all.size(); ++size) {
    uint64_t opened = watch.opened();
    auto open = [&] { return TensorFile::open_gguf(std::make_shared<CutSource>(all, size, true)); };
    watch.look(open, fmt::format("{} cut to {}", what, size));
    if (testing::Test::HasFatalFailure()) return;
    ASSERT_EQ(watch.opened() - opened, size >= data_end ? 1u : 0u) << "cut to " << size;
  }
  watch.expect_bounded(what);
}

TEST(MalformedGguf, CutAtEveryByte) {
  std::string sample = sample_gguf(512);
  auto fields = fields_of(source_of_text(sample));
  uint64_t header = fields.back().offset + fields.back().bytes;
  ASSERT_GT(header, 20'000u) << "a vocabulary of 512 and its merges";
  cut_everywhere(sample, "vocabulary of 512");
  cut_everywhere(sample_gguf_of_all_types(), "all types");
  cut_everywhere(fixture("everything.gguf"), "everything.gguf");
}

// Bent bytes: half of the mutants never come past the header.
TEST(MalformedGguf, BentFields) {
  Watch watch;
  std::vector<std::string> samples = {sample_gguf(512), sample_gguf(16), sample_gguf_of_all_types(),
                                      fixture("everything.gguf")};
  for (const ModelParts& parts : sample_models_of_all_vocabularies())
    samples.push_back(parts.bytes());
  std::vector<std::vector<GgufFieldAt>> fields;
  for (const std::string& sample : samples) fields.push_back(fields_of(source_of_text(sample)));
  for (uint64_t number = 0; number < mutants(5000); ++number) {
    size_t which = number % samples.size();
    std::string mutant = mutate_gguf(samples[which], fields[which], number);
    watch.look([&] { return TensorFile::open_gguf(source_of_text(mutant)); },
               fmt::format("mutant {}", number));
    if (HasFatalFailure()) return;
  }
  watch.expect_bounded("GGUF, bent fields");
  EXPECT_GT(watch.refused(), mutants(2000)) << "mutants that all open test nothing";
  EXPECT_GT(watch.opened(), mutants(500)) << "nor do mutants that never come past the header";
}

// Bent models: nearly all open, and go as far as they can.
TEST(MalformedGguf, BentModels) {
  Watch watch;
  std::vector<ModelParts> samples = sample_models_of_all_vocabularies();
  samples.push_back(sample_model(64));
  for (const ModelParts& parts : samples) {
    auto open = [&] { return TensorFile::open_gguf(source_of_text(parts.bytes())); };
    auto model = Model::load(*open(), "");
    ASSERT_TRUE(model) << model.error().message;
    auto tokenizer = Tokenizer::from_gguf((*model)->file.metadata());
    ASSERT_TRUE(tokenizer) << tokenizer.error().message;
    watch.look(open, "a sample as it is");
  }
  for (uint64_t number = 0; number < mutants(5000); ++number) {
    std::string mutant = mutate_model(samples[number % samples.size()], number);
    watch.look([&] { return TensorFile::open_gguf(source_of_text(mutant)); },
               fmt::format("mutant {}", number));
    if (HasFatalFailure()) return;
  }
  watch.expect_bounded("GGUF, bent models");
  EXPECT_GT(watch.opened(), mutants(4000));
}

// A mutant is the same on every run and machine.
TEST(MalformedGguf, MutantsAreReproducible) {
  std::string sample = sample_gguf(16);
  auto fields = fields_of(source_of_text(sample));
  int changed = 0;
  for (uint64_t number = 0; number < 50; ++number) {
    std::string mutant = mutate_gguf(sample, fields, number);
    EXPECT_EQ(mutant, mutate_gguf(sample, fields, number));
    changed += mutant != sample;
  }
  EXPECT_GT(changed, 40);
}

}  // namespace
}  // namespace hearth
