// What the parts of the store share about files; nobody else includes it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "registry/store.h"

namespace hearth {

struct FolderEntry {
  std::string name;
  bool folder = false, regular = false;  // as lstat sees it: links are neither
  uint64_t size = 0;
  int64_t modified = 0;
};

// Sorted by name; empty when the folder cannot be read.
std::vector<FolderEntry> list_folder(const std::filesystem::path& folder);

// Names of all manifest files; files whose place is no model name go to `broken`.
std::vector<ModelName> manifest_names(const std::filesystem::path& folder,
                                      std::vector<StoreProblem>* broken);

// A file of AtomicFile that was not committed. All temporary files of the store lie in blobs/ and
// views/, where no proper name looks like this; a tag under manifests/ might.
inline bool is_temporary_name(std::string_view name) {
  return name.find(".tmp-") != std::string_view::npos;
}

}  // namespace hearth
