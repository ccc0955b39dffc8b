// hearth intake: a blob that arrives in parts (the start script feeds a download through it, so
// that a broken one goes on at the next part). Hidden: not for people.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "cli/command.h"
#include "cli/terminal.h"
#include "registry/partial_blob.h"

namespace hearth {
namespace {

constexpr size_t kChunkBytes = 1 << 20;

// Feeds everything from `fd` into the part; returns how many bytes that were.
Result<uint64_t> feed(int fd, const std::string& name, PartialBlob& blob) {
  std::vector<std::byte> chunk(kChunkBytes);
  uint64_t bytes = 0;
  while (true) {
    ssize_t got = read(fd, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(Code::kIo, "cannot read {}: {}", name, strerror(errno));
    if (got == 0) return bytes;
    TRY(blob.append(std::span(chunk).first(static_cast<size_t>(got))));
    bytes += static_cast<uint64_t>(got);
  }
}

Result<uint64_t> feed_file(const std::string& name, PartialBlob& blob) {
  if (name == "-") return feed(STDIN_FILENO, "standard input", blob);
  int fd = open(name.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail_errno("open", name);
  auto bytes = feed(fd, name, blob);
  close(fd);
  return bytes;
}

Result<void> take_part(const Args& args, PartialBlob& blob, uint32_t part) {
  if (part != blob.next_part())
    return fail(Code::kInvalid, "part {} is out of order: part {} comes next", part,
                blob.next_part());
  if (!args.has("FILE")) return fail(Code::kUsage, "intake needs FILE, or - for standard input");
  uint64_t bytes = TRY(feed_file(args.positional("FILE"), blob));
  if (bytes == 0) return fail(Code::kCorrupt, "part {} is empty; fetch it again", part);
  if (args.options.has("bytes") && bytes != static_cast<uint64_t>(args.options.integer("bytes")))
    return fail(Code::kCorrupt, "part {} has {} bytes, not {}; fetch it again", part, bytes,
                args.options.integer("bytes"));
  return blob.end_part();
}

Result<int> run_intake(const Args& args) {
  const Options& options = args.options;
  for (std::string_view name : {"sha256", "size", "of"})
    if (!options.has(name)) return fail(Code::kUsage, "intake needs --{}", name);
  Digest digest = TRY(Digest::parse(options.text("sha256")));
  Store store = TRY(Store::open());
  StoreWriter writer = TRY(store.begin_write());
  auto parts = static_cast<uint32_t>(options.integer("of"));
  PartialBlob blob = TRY(PartialBlob::open(
      store, digest, static_cast<uint64_t>(options.integer("size")), parts));
  if (!options.flag("status") && !blob.complete_already()) {
    if (!options.has("part")) return fail(Code::kUsage, "intake needs --part or --status");
    // All parts may be there and unchecked when the last run was killed at the very end.
    auto part = static_cast<uint32_t>(options.integer("part"));
    if (!blob.all_parts()) TRY(take_part(args, blob, part));
  }
  if (blob.all_parts() && !blob.complete_already()) TRY(blob.complete());
  if (blob.complete_already()) TRY(print("done {}\n", digest.text()));
  else TRY(print("next {} of {}\n", blob.next_part(), parts));
  return 0;
}

constexpr Positional kPositionals[] = {
    {"FILE", Positional::Count::kOptional, "the part's bytes; - is standard input"}};

constexpr OptionRow kOptions[] = {
    {.name = "sha256", .value_name = "HEX", .text = "digest of the whole"},
    {.name = "size", .type = OptionType::kInt, .min = 1, .max = 1e15, .text = "bytes of the whole"},
    {.name = "of", .type = OptionType::kInt, .min = 1, .max = 100000, .text = "number of parts"},
    {.name = "part", .type = OptionType::kInt, .min = 1, .max = 100000,
     .text = "which part this is"},
    {.name = "bytes", .type = OptionType::kInt, .min = 1, .max = 1e15,
     .text = "bytes of this part; another number is refused"},
    {.name = "status", .type = OptionType::kFlag, .text = "print what comes next, take nothing"},
};

}  // namespace

const Command k_intake_command = {
    .name = "intake",
    .summary = "Take one part of a blob into the store",
    .help = "Prints \"next I of N\" while parts are missing and \"done sha256:HEX\" when the blob "
            "is whole;\nFROM sha256:HEX then makes a model of it.",
    .positionals = kPositionals,
    .options = kOptions,
    .run = run_intake,
    .hidden = true};

}  // namespace hearth
