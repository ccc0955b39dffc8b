// Adding to a store: blobs, manifests, folder views.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "registry/store.h"
#include "registry/store_files.h"

namespace hearth {
namespace fs = std::filesystem;
namespace {

constexpr int kWaitMs = 10'000;
constexpr size_t kChunkBytes = 1 << 20;

// mkdir -p with the mode given to each new folder, durably.
Result<void> make_path(const fs::path& path, mode_t mode) {
  struct stat st;
  if (stat(path.c_str(), &st) == 0) {
    if (S_ISDIR(st.st_mode)) return {};
    return fail(Code::kInvalid, "{} is in the way: it is no folder", path.string());
  }
  std::vector<fs::path> missing;
  for (fs::path at = path; !at.empty() && stat(at.c_str(), &st) != 0; at = at.parent_path())
    missing.push_back(at);
  for (auto at = missing.rbegin(); at != missing.rend(); ++at) {
    if (mkdir(at->c_str(), mode) != 0 && errno != EEXIST)
      return fail_errno("make the folder", *at);
    TRY(sync_folder(at->parent_path()));
  }
  return {};
}

class ReadFd {
 public:
  explicit ReadFd(const fs::path& path)
      : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~ReadFd() {
    if (fd_ >= 0) close(fd_);
  }
  ReadFd(const ReadFd&) = delete;
  ReadFd& operator=(const ReadFd&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

// Says so before gigabytes are copied for nothing.
Result<void> need_space(const fs::path& folder, uint64_t bytes) {
  struct statvfs st;
  if (statvfs(folder.c_str(), &st) != 0) return {};
  uint64_t free = static_cast<uint64_t>(st.f_bavail) * st.f_frsize;
  if (free >= bytes) return {};
  return fail(Code::kDiskFull,
              "{} needs {} MB and has {} MB free; free some space or set HEARTH_MODELS to another "
              "disk", folder.string(), bytes / 1'000'000 + 1, free / 1'000'000);
}

}  // namespace

Result<void> Store::make_layout() const {
  TRY(make_path(folder_, 0700));
  TRY(make_path(folder_ / "blobs", 0755));
  return make_path(folder_ / "manifests", 0755);
}

Result<StoreWriter> Store::begin_write() const {
  TRY(make_layout());
  return StoreWriter(*this, TRY(lock(FileLock::Mode::kShared, kWaitMs)));
}

Result<BlobWriter> StoreWriter::begin_blob() const {
  fs::path blobs = store_.folder() / "blobs";
  AtomicFile file = TRY(AtomicFile::create(blobs / "incoming"));
  return BlobWriter(std::move(blobs), std::move(file));
}

Result<void> BlobWriter::write(std::span<const std::byte> bytes) {
  TRY(file_.write(bytes));
  hash_.update(bytes);
  return {};
}

Result<Layer> BlobWriter::finish(std::string_view media_type, const Digest* expected) {
  uint64_t size = file_.bytes_written();
  Digest digest = TRY(Digest::parse(hash_.finish()));
  if (expected != nullptr && digest != *expected)
    return fail(Code::kCorrupt, "digest mismatch, expected \"{}\", got \"{}\"", expected->text(),
                digest.text());
  // Over a blob that is there already, too: the new bytes are known to be right.
  TRY(file_.commit_as(blobs_ / digest.file_name()));
  return Layer{std::string(media_type), std::move(digest), size, {}};
}

Result<Layer> StoreWriter::put_text(std::string_view media_type, std::string_view text) const {
  BlobWriter blob = TRY(begin_blob());
  TRY(blob.write(std::as_bytes(std::span(text))));
  return blob.finish(media_type);
}

Result<Layer> StoreWriter::put_file(std::string_view media_type, const fs::path& path,
                                    const ProgressFunction& progress) const {
  ReadFd fd(path);
  if (fd.get() < 0) return fail_errno("open", path);
  struct stat st;
  if (fstat(fd.get(), &st) != 0) return fail_errno("stat", path);
  if (!S_ISREG(st.st_mode)) return fail(Code::kInvalid, "{} is not a regular file", path.string());
  uint64_t total = static_cast<uint64_t>(st.st_size);
  TRY(need_space(store_.folder(), total));
  BlobWriter blob = TRY(begin_blob());
  std::vector<std::byte> chunk(kChunkBytes);
  while (true) {
    ssize_t got = read(fd.get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read", path);
    if (got == 0) break;
    TRY(blob.write(std::span(chunk).first(static_cast<size_t>(got))));
    if (progress) progress(blob.bytes_written(), total);
  }
  return blob.finish(media_type);
}

Result<Layer> StoreWriter::use_blob(std::string_view media_type, const Digest& digest) const {
  struct stat st;
  if (!store_.has_blob(digest) || stat(store_.blob_path(digest).c_str(), &st) != 0)
    return fail(Code::kNotFound, "the store has no blob {}", digest.text());
  return Layer{std::string(media_type), digest, static_cast<uint64_t>(st.st_size), {}};
}

Result<void> StoreWriter::put_manifest(const ModelName& name, std::string_view text) const {
  fs::path path = store_.manifest_path(name);
  TRY(make_path(path.parent_path(), 0755));
  // The temporary file lies among the blobs, so that manifests/ holds nothing but manifests.
  AtomicFile file = TRY(AtomicFile::create(store_.folder() / "blobs" / "manifest"));
  TRY(file.write(std::as_bytes(std::span(text))));
  return file.commit_as(path);
}

Result<std::string> StoreWriter::write_manifest(const ModelName& name,
                                                const Manifest& manifest) const {
  TRY(use_blob(media::kConfig, manifest.config.digest));
  for (const Layer& layer : manifest.layers) TRY(use_blob(layer.media_type, layer.digest));
  std::string text = manifest.dump();
  TRY(put_manifest(store_.find(name).value_or(name), text));
  return sha256_hex(text);
}

Result<void> StoreWriter::copy(const ModelName& from, const ModelName& to) const {
  StoredModel model = TRY(store_.read(from));
  std::string text = TRY(read_file(store_.manifest_path(model.name), Manifest::kBytesMax));
  return put_manifest(store_.find(to).value_or(to), text);
}

namespace {

Result<void> link_files(const Store& store, const Manifest& manifest, const fs::path& folder) {
  std::error_code error;
  fs::path blobs = fs::absolute(store.folder() / "blobs", error);
  for (const Layer& layer : manifest.layers) {
    if (layer.media_type != media::kFile) continue;
    TRY(check_file_name(layer.name));
    fs::path link = folder / layer.name;
    TRY(make_path(link.parent_path(), 0755));
    if (symlink((blobs / layer.digest.file_name()).c_str(), link.c_str()) != 0)
      return fail_errno("make the link", link);
  }
  return {};
}

// True when the view is there and each of its links still leads to its blob (a store may be moved).
bool view_is_whole(const Store& store, const Manifest& manifest, const fs::path& view) {
  std::error_code error;
  for (const Layer& layer : manifest.layers) {
    if (layer.media_type != media::kFile) continue;
    if (!fs::equivalent(view / layer.name, store.blob_path(layer.digest), error)) return false;
  }
  return true;
}

}  // namespace

Result<fs::path> materialise(const Store& store, const StoredModel& model) {
  static std::atomic<uint64_t> counter{0};
  if (model.manifest.find(media::kFile) == nullptr)
    return fail(Code::kUnsupported, "'{}' is one file, not a folder", model.name.display());
  fs::path view = store.folder() / "views" / model.digest;
  if (view_is_whole(store, model.manifest, view)) return view;
  for (const Layer& layer : model.manifest.layers)
    if (!store.has_blob(layer.digest))
      return fail(Code::kNotFound, "blob {} of '{}' is missing; make or pull the model again",
                  layer.digest.brief(), model.name.display());
  StoreWriter writer = TRY(store.begin_write());
  TRY(make_path(store.folder() / "views", 0755));
  fs::path fresh = view;
  fresh += fmt::format(".tmp-{}-{}", getpid(), counter.fetch_add(1));
  TRY(make_path(fresh, 0755));
  auto linked = link_files(store, model.manifest, fresh);
  std::error_code ignored;
  if (linked && rename(fresh.c_str(), view.c_str()) != 0) {
    // Another process was faster, or an old view leads nowhere: replace it.
    if (!view_is_whole(store, model.manifest, view)) {
      fs::remove_all(view, ignored);
      if (rename(fresh.c_str(), view.c_str()) != 0) linked = fail_errno("put in place", view);
    }
  }
  fs::remove_all(fresh, ignored);
  if (!linked) return std::unexpected(linked.error());
  return view;
}

}  // namespace hearth
