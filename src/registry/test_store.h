// What the tests of the registry share: a store in a folder of its own.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/file.h"
#include "registry/create.h"
#include "registry/store.h"

namespace hearth {

// A folder that is removed at the end, and a store in it that does not exist yet.
class TemporaryStore {
 public:
  TemporaryStore() : root_(make_root()), store_(root_ / "home" / "models") {}
  ~TemporaryStore() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  const std::filesystem::path& root() const { return root_; }
  const Store& store() const { return store_; }
  std::filesystem::path models() const { return store_.folder(); }

 private:
  static std::filesystem::path make_root() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hearth-test-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) return {};
    return pattern;
  }
  std::filesystem::path root_;
  Store store_;
};

inline ModelName name_of(std::string_view text) { return ModelName::parse(text).value(); }

inline std::filesystem::path test_data(std::string_view name) {
  return std::filesystem::path(HEARTH_TEST_DATA) / "registry" / name;
}

inline void write_text(const std::filesystem::path& path, std::string_view text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

// `hearth create NAME -f -` with paths that start from the test data.
inline Result<CreateResult> create(const Store& store, std::string_view name,
                                   std::string_view modelfile) {
  return create_model(store, {.name = name_of(name),
                              .modelfile = TRY(Modelfile::parse(modelfile)),
                              .base = test_data("")});
}

// Sets the time of the last change back.
inline void age(const std::filesystem::path& path, std::chrono::hours hours) {
  std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now() - hours);
}

}  // namespace hearth
