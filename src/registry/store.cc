// Reading a store, and the paths in it. Writing is store_write.cc, removing and checking
// store_maintain.cc.
#include "registry/store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <tuple>

#include "base/options.h"
#include "base/out_of_memory.h"
#include "registry/store_files.h"

namespace hearth {
namespace fs = std::filesystem;

Result<fs::path> hearth_home() {
  if (auto home = environment("HOME")) return fs::path(*home);
  const char* user = std::getenv("HOME");
  if (user == nullptr || user[0] == '\0')
    return fail(Code::kNotFound, "there is no HOME; set HEARTH_HOME to a folder that may be "
                                 "written");
  return fs::path(user) / ".hearth";
}

Result<fs::path> models_folder() {
  if (auto models = environment("MODELS", "MODELS")) return fs::path(*models);
  return TRY(hearth_home()) / "models";
}

Result<Store> Store::open() { return Store(TRY(models_folder())); }

fs::path Store::blob_path(const Digest& digest) const {
  return folder_ / "blobs" / digest.file_name();
}

bool Store::has_blob(const Digest& digest) const {
  struct stat st;
  return lstat(blob_path(digest).c_str(), &st) == 0 && S_ISREG(st.st_mode);
}

fs::path Store::manifest_path(const ModelName& name) const {
  return folder_ / "manifests" / name.relative();
}

std::vector<FolderEntry> list_folder(const fs::path& folder) {
  std::vector<FolderEntry> out;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    struct stat st;
    if (lstat(it->path().c_str(), &st) != 0) continue;
    out.push_back({it->path().filename().string(), S_ISDIR(st.st_mode), S_ISREG(st.st_mode),
                   static_cast<uint64_t>(st.st_size), static_cast<int64_t>(st.st_mtime)});
  }
  std::ranges::sort(out, {}, &FolderEntry::name);
  return out;
}

std::optional<ModelName> Store::find(const ModelName& name) const {
  std::vector<std::string> parts;
  fs::path at = folder_ / "manifests";
  for (const std::string* part : {&name.host(), &name.name_space(), &name.name(), &name.tag()}) {
    bool last = parts.size() == 3;
    const FolderEntry* found = nullptr;
    auto entries = list_folder(at);
    for (const FolderEntry& entry : entries) {
      if (!(last ? entry.regular : entry.folder) || !same_name(entry.name, *part)) continue;
      if (found == nullptr || entry.name == *part) found = &entry;  // the exact spelling wins
    }
    if (found == nullptr) return std::nullopt;
    parts.push_back(found->name);
    at /= found->name;
  }
  auto out = ModelName::from_parts(parts[0], parts[1], parts[2], parts[3]);
  if (!out) return std::nullopt;
  return *out;
}

namespace {

Result<StoredModel> read_stored(const fs::path& path, const ModelName& name) {
  auto text = read_file(path, Manifest::kBytesMax);
  if (!text && text.error().code == Code::kNotFound)
    return fail(Code::kNotFound, "there is no model '{}'; hearth list shows what there is",
                name.display());
  if (!text) return std::unexpected(text.error());
  auto manifest = Manifest::parse(*text);
  if (!manifest && manifest.error().code == Code::kOutOfMemory)
    return std::unexpected(std::move(manifest).error());
  if (!manifest)
    return fail(Code::kCorrupt,
                "the manifest of '{}' is damaged ({}); hearth rm it and make or pull it again",
                name.display(), manifest.error().message);
  struct stat st = {};
  (void)stat(path.c_str(), &st);
  return StoredModel{name, std::move(*manifest), sha256_hex(*text),
                     static_cast<int64_t>(st.st_mtime)};
}

}  // namespace

Result<StoredModel> Store::read(const ModelName& name) const {
  return catching_bad_alloc([&] {
    ModelName stored = find(name).value_or(name);
    return read_stored(manifest_path(stored), stored);
  });
}

std::vector<ModelName> manifest_names(const fs::path& folder, std::vector<StoreProblem>* broken) {
  std::vector<ModelName> out;
  fs::path root = folder / "manifests";
  for (const FolderEntry& host : list_folder(root)) {
    if (!host.folder) continue;
    for (const FolderEntry& space : list_folder(root / host.name)) {
      if (!space.folder) continue;
      for (const FolderEntry& name : list_folder(root / host.name / space.name)) {
        if (!name.folder) continue;
        for (const FolderEntry& tag : list_folder(root / host.name / space.name / name.name)) {
          if (!tag.regular) continue;
          auto parsed = ModelName::from_parts(host.name, space.name, name.name, tag.name);
          if (parsed) out.push_back(*parsed);
          else if (broken != nullptr)
            broken->push_back({"manifest " + host.name + "/" + space.name + "/" + name.name + ":" +
                                   tag.name, parsed.error().message});
        }
      }
    }
  }
  return out;
}

Result<std::vector<StoredModel>> Store::list(std::vector<StoreProblem>* broken) const {
  return catching_bad_alloc([&] { return list_all(broken); });
}

Result<std::vector<StoredModel>> Store::list_all(std::vector<StoreProblem>* broken) const {
  // A store that is not there is empty; one that may not be read is an error, not empty.
  for (const fs::path& folder : {folder_, folder_ / "manifests"})
    if (access(folder.c_str(), R_OK | X_OK) != 0 && errno != ENOENT)
      return fail_errno("read the store", folder);
  std::vector<StoredModel> out;
  for (const ModelName& name : manifest_names(folder_, broken)) {
    auto model = read_stored(manifest_path(name), name);
    if (model) out.push_back(std::move(*model));
    else if (model.error().code == Code::kOutOfMemory) return out_of_memory();
    else if (broken != nullptr && model.error().code != Code::kNotFound)
      broken->push_back({"manifest " + name.display(), model.error().message});
  }
  std::ranges::sort(out, [](const StoredModel& a, const StoredModel& b) {
    return std::tie(b.modified, a.name) < std::tie(a.modified, b.name);
  });
  return out;
}

Result<std::string> Store::read_text(const Digest& digest, uint64_t bytes_max) const {
  auto text = read_file(blob_path(digest), bytes_max);
  if (!text && text.error().code == Code::kNotFound)
    return fail(Code::kNotFound, "blob {} is missing from the store; hearth verify says what else",
                digest.brief());
  return text;
}

Result<FileLock> Store::lock(FileLock::Mode mode, int wait_ms) const {
  auto held = FileLock::acquire(folder_ / "hearth.lock", mode, wait_ms);
  if (!held && held.error().code == Code::kBusy)
    return fail(Code::kBusy, "another Hearth is changing the store at {}; try again when it is "
                             "done", folder_.string());
  return held;
}

}  // namespace hearth
