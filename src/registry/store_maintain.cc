// Removing from a store, sweeping it, and checking it.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <set>

#include "registry/store.h"
#include "registry/store_files.h"

namespace hearth {
namespace fs = std::filesystem;
namespace {

constexpr int kWaitMs = 10'000;

std::set<Digest> digests_of(const Manifest& manifest) {
  std::set<Digest> out = {manifest.config.digest};
  for (const Layer& layer : manifest.layers) out.insert(layer.digest);
  return out;
}

Result<void> remove_file(const fs::path& path) {
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno("remove", path);
  return {};
}

// Removes a manifest and the folders that it leaves empty, up to manifests/.
Result<void> remove_manifest(const fs::path& path) {
  TRY(remove_file(path));
  fs::path folder = path.parent_path();
  TRY(sync_folder(folder));
  for (int level = 0; level < 3; ++level, folder = folder.parent_path())
    if (rmdir(folder.c_str()) != 0) break;
  return {};
}

bool older(const FolderEntry& entry, std::chrono::hours age) {
  return std::time(nullptr) - entry.modified > std::chrono::seconds(age).count();
}

}  // namespace

Result<std::vector<ModelName>> Store::remove(const std::vector<ModelName>& names) const {
  std::vector<ModelName> stored;
  for (const ModelName& name : names) {
    auto found = find(name);
    if (!found)
      return fail(Code::kNotFound, "there is no model '{}'; hearth list shows what there is",
                  name.display());
    stored.push_back(*found);
  }
  FileLock held = TRY(lock(FileLock::Mode::kExclusive, kWaitMs));
  std::set<Digest> candidates;
  for (const ModelName& name : stored) {
    auto model = read(name);
    if (model) candidates.merge(digests_of(model->manifest));
    else if (model.error().code == Code::kOutOfMemory) return std::unexpected(model.error());
    TRY(remove_manifest(manifest_path(name)));
  }
  std::vector<StoreProblem> broken;
  auto rest = TRY(list(&broken));
  // A manifest that cannot be read may need any blob: then none goes.
  if (!broken.empty()) return stored;
  for (const StoredModel& model : rest)
    for (const Digest& used : digests_of(model.manifest)) candidates.erase(used);
  for (const Digest& digest : candidates) TRY(remove_file(blob_path(digest)));
  TRY(sweep_locked());
  return stored;
}

Result<void> Store::sweep() const {
  std::error_code error;
  if (!fs::exists(folder_, error)) return {};
  auto held = lock(FileLock::Mode::kExclusive, 0);
  if (!held && held.error().code == Code::kBusy) return {};
  if (!held) return std::unexpected(held.error());
  return sweep_locked();
}

Result<void> Store::sweep_locked() const {
  std::vector<StoreProblem> broken;
  std::set<Digest> used;
  std::set<std::string> views;
  for (const StoredModel& model : TRY(list(&broken))) {
    used.merge(digests_of(model.manifest));
    views.insert(model.digest);
  }
  for (const FolderEntry& entry : list_folder(folder_ / "blobs")) {
    if (!entry.regular) continue;
    auto digest = entry.name.starts_with("sha256-") ? Digest::parse(entry.name)
                                                    : fail(Code::kInvalid, "no blob");
    bool partial = entry.name.ends_with("-partial") || entry.name.ends_with("-partial.json");
    bool goes = digest ? broken.empty() && !used.contains(*digest) && older(entry, kOrphanAge)
                : is_temporary_name(entry.name) ? older(entry, kTemporaryAge)
                                                : partial && older(entry, kPartialAge);
    if (goes) TRY(remove_file(folder_ / "blobs" / entry.name));
  }
  if (!broken.empty()) return {};
  for (const FolderEntry& entry : list_folder(folder_ / "views")) {
    std::error_code ignored;
    if (entry.folder && !views.contains(entry.name)) fs::remove_all(folder_ / "views" / entry.name,
                                                                    ignored);
  }
  return {};
}

namespace {

// The work of one verify().
class Verifier {
 public:
  Verifier(const Store& store, const ProgressFunction& progress)
      : store_(store), progress_(progress) {}

  Result<VerifyReport> run() {
    models_ = TRY(store_.list(&report_.problems));
    report_.models = models_.size();
    TRY(hash_blobs());
    check_models();
    return report_;
  }

  const std::set<Digest>& bad_blobs() const { return bad_; }
  const std::vector<ModelName>& bad_models() const { return bad_models_; }

 private:
  Result<void> hash_blobs() {
    std::set<Digest> used;
    for (const StoredModel& model : models_) used.merge(digests_of(model.manifest));
    std::vector<FolderEntry> blobs;
    uint64_t total = 0, done = 0;
    for (FolderEntry& entry : list_folder(store_.folder() / "blobs"))
      if (entry.name.starts_with("sha256-") && Digest::parse(entry.name)) {
        total += entry.size;
        blobs.push_back(std::move(entry));
      }
    for (const FolderEntry& entry : blobs) {
      Digest digest = *Digest::parse(entry.name);
      report_.blobs++;
      report_.bytes += entry.size;
      report_.unreferenced += !used.contains(digest);
      TRY(hash_one(digest, entry));
      done += entry.size;
      if (progress_) progress_(done, total);
    }
    return {};
  }

  Result<void> hash_one(const Digest& digest, const FolderEntry& entry) {
    std::string problem;
    if (!entry.regular) {
      problem = "is not a regular file";
    } else {
      auto hex = sha256_file(store_.blob_path(digest));
      if (hex && *hex == digest.hex()) return {};
      if (!hex && hex.error().code == Code::kNotFound) return {};  // removed meanwhile
      if (!hex && hex.error().code == Code::kOutOfMemory) return std::unexpected(hex.error());
      problem = hex ? fmt::format("its {} bytes have the digest {}", entry.size, *hex)
                    : hex.error().message;
    }
    bad_.insert(digest);
    report_.problems.push_back({"blob " + digest.file_name(), problem});
    return {};
  }

  void check_models() {
    for (const StoredModel& model : models_) {
      std::string problem = check_layer(model.manifest.config);
      for (const Layer& layer : model.manifest.layers)
        if (problem.empty()) problem = check_layer(layer);
      if (problem.empty() || !store_.find(model.name)) continue;
      bad_models_.push_back(model.name);
      report_.problems.push_back({"model " + model.name.display(), problem});
    }
  }

  std::string check_layer(const Layer& layer) const {
    struct stat st;
    if (lstat(store_.blob_path(layer.digest).c_str(), &st) != 0 || !S_ISREG(st.st_mode))
      return fmt::format("its {} blob {} is missing", layer.media_type, layer.digest.brief());
    if (bad_.contains(layer.digest))
      return fmt::format("its {} blob {} is damaged", layer.media_type, layer.digest.brief());
    if (static_cast<uint64_t>(st.st_size) != layer.size)
      return fmt::format("it says that blob {} has {} bytes, and it has {}", layer.digest.brief(),
                         layer.size, st.st_size);
    return {};
  }

  const Store& store_;
  const ProgressFunction& progress_;
  VerifyReport report_;
  std::vector<StoredModel> models_;
  std::set<Digest> bad_;
  std::vector<ModelName> bad_models_;
};

}  // namespace

Result<VerifyReport> Store::verify(bool repair, const ProgressFunction& progress) const {
  Verifier verifier(*this, progress);
  VerifyReport report = TRY(verifier.run());
  if (!repair || report.problems.empty()) return report;
  FileLock held = TRY(lock(FileLock::Mode::kExclusive, kWaitMs));
  for (const Digest& digest : verifier.bad_blobs()) {
    // Again under the lock: somebody may have put the right bytes there since.
    auto hex = sha256_file(blob_path(digest));
    if (!hex && hex.error().code == Code::kOutOfMemory) return std::unexpected(hex.error());
    if (!hex || *hex != digest.hex()) TRY(remove_file(blob_path(digest)));
  }
  // What is no manifest or is one of no name.
  for (const ModelName& name : manifest_names(folder_, nullptr))
    if (auto model = read(name); !model && model.error().code == Code::kCorrupt)
      TRY(remove_manifest(manifest_path(name)));
  for (const ModelName& name : verifier.bad_models()) TRY(remove_manifest(manifest_path(name)));
  TRY(sync_folder(folder_ / "blobs"));
  std::vector<StoreProblem> left;
  TRY(list(&left));
  for (StoreProblem& problem : report.problems)
    problem.repaired = std::ranges::none_of(
        left, [&](const StoreProblem& other) { return other.what == problem.what; });
  return report;
}

}  // namespace hearth
