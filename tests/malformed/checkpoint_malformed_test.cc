// Folders as Hugging Face has them, of which one file is bent.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "model/model.h"
#include "mutate.h"
#include "mutate_json.h"
#include "watch.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;

constexpr const char* kNames[] = {"model.safetensors", "config.json", "tokenizer.json",
                                  "tokenizer_config.json"};

struct Checkpoint {
  std::string texts[4];  // as kNames has them
};

class MalformedCheckpoint : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"llama", "qwen2", "llama-yarn", "llama-rope-llama3",
                             "mistral-window"}) {
      Checkpoint& checkpoint = checkpoints_.emplace_back();
      for (size_t i = 0; i < 4; ++i) {
        auto text = read_file(fmt::format("{}/models/{}/{}", HEARTH_TEST_DATA, name, kNames[i]),
                              1 << 20);
        ASSERT_TRUE(text) << text.error().message;
        checkpoint.texts[i] = *text;
        if (i > 0) donors_.push_back(*Json::parse(*text));
      }
    }
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  // Bends one of the files; the settings more often than the rest.
  Checkpoint bent(uint64_t number) const {
    Checkpoint out = checkpoints_[number % checkpoints_.size()];
    constexpr size_t kTurns[] = {0, 1, 2, 1, 3};
    size_t which = kTurns[number / checkpoints_.size() % std::size(kTurns)];
    std::string& text = out.texts[which];
    text = which == 0 ? mutate_safetensors(text, number)
                      : mutate_json(*Json::parse(text), donors_, number);
    return out;
  }

  std::vector<Checkpoint> checkpoints_;
  std::vector<Json> donors_;
  fs::path folder_ = fs::temp_directory_path() / fmt::format("hearth-malformed-{}", getpid());
};

TEST_F(MalformedCheckpoint, BentFiles) {
  Watch watch;
  for (uint64_t number = 0; number < mutants(2000); ++number) {
    Checkpoint checkpoint = bent(number);
    for (size_t i = 0; i < 4; ++i)
      std::ofstream(folder_ / kNames[i], std::ios::binary) << checkpoint.texts[i];
    watch.look([&] { return TensorFile::open(folder_.string()); },
               [&](const TensorFile& file) { return exercise(file, folder_.string()); },
               fmt::format("mutant {}", number));
    if (HasFatalFailure()) return;
  }
  watch.expect_bounded("checkpoints, one file bent");
  EXPECT_GT(watch.opened(), mutants(1600)) << "the weights are bent in a fifth of them";
}

}  // namespace
}  // namespace hearth
