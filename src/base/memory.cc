#include "base/memory.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/math.h"

namespace hearth {
namespace fs = std::filesystem;
namespace {

constexpr uint64_t kFileBytesMax = 1 << 20;

std::optional<uint64_t> number(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  uint64_t out = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return out;
}

// Calls f(line) for each line.
template <class F>
void for_lines(std::string_view text, F&& f) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    f(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

// The number behind a key at the beginning of a line.
std::optional<uint64_t> value_of(std::string_view text, std::string_view key) {
  std::optional<uint64_t> out;
  for_lines(text, [&](std::string_view line) {
    if (line.starts_with(key)) out = number(line.substr(key.size()));
  });
  return out;
}

// The files in which the two versions of control groups say the same.
struct GroupFiles {
  std::string_view mount, limit, usage, cache, shared;
};
constexpr GroupFiles kVersion1 = {"sys/fs/cgroup/memory", "memory.limit_in_bytes",
                                  "memory.usage_in_bytes", "total_cache ", "total_shmem "};
constexpr GroupFiles kVersion2 = {"sys/fs/cgroup", "memory.max", "memory.current", "file ",
                                  "shmem "};

// What a group leaves free; nothing where it has no limit ("max", or a number beyond any machine).
std::optional<uint64_t> room_in(const fs::path& folder, const GroupFiles& files) {
  auto limit = read_file(folder / files.limit, kFileBytesMax);
  auto usage = read_file(folder / files.usage, kFileBytesMax);
  if (!limit || !usage) return std::nullopt;
  auto most = number(*limit), used = number(*usage);
  if (!most || !used || *most >= uint64_t{1} << 62) return std::nullopt;
  // Cached files can be dropped, but not those that live in memory only.
  auto stat = read_file(folder / "memory.stat", kFileBytesMax);
  const uint64_t cache = stat ? value_of(*stat, files.cache).value_or(0) : 0;
  const uint64_t shared = stat ? value_of(*stat, files.shared).value_or(0) : 0;
  const uint64_t fixed = *used - std::min(*used, cache - std::min(cache, shared));
  return *most - std::min(*most, fixed);
}

// The least that the group at `path` and those around it leave. In a container the path may be one
// of the host, of which only the mount itself is seen.
std::optional<uint64_t> room_in_groups(const fs::path& root, std::string_view path,
                                       const GroupFiles& files) {
  std::optional<uint64_t> least;
  const fs::path mount = root / files.mount;
  fs::path at = fs::path(path).relative_path().lexically_normal();
  if (at.string().starts_with("..")) at.clear();
  while (true) {
    if (auto room = room_in(mount / at, files)) least = std::min(least.value_or(*room), *room);
    if (at.empty() || at == ".") return least;
    at = at.parent_path();
  }
}

// A line of /proc/self/cgroup is NUMBER:CONTROLLERS:PATH; version 2 has no controllers.
std::optional<uint64_t> room_by_line(const fs::path& root, std::string_view line) {
  const size_t first = line.find(':');
  const size_t second = first == line.npos ? first : line.find(':', first + 1);
  if (second == line.npos) return std::nullopt;
  const std::string_view between = line.substr(first + 1, second - first - 1);
  const std::string controllers = "," + std::string(between) + ",";
  const std::string_view path = line.substr(second + 1);
  if (controllers == ",,") return room_in_groups(root, path, kVersion2);
  if (controllers.contains(",memory,")) return room_in_groups(root, path, kVersion1);
  return std::nullopt;
}

}  // namespace

Result<uint64_t> memory_for_us(const fs::path& root) {
  const std::string info = TRY(read_file(root / "proc/meminfo", kFileBytesMax));
  auto kilobytes = value_of(info, "MemAvailable:");
  if (!kilobytes) kilobytes = value_of(info, "MemFree:");  // systems before 2014
  auto free = kilobytes ? checked_mul<uint64_t>(*kilobytes, 1024) : std::nullopt;
  if (!free) return fail(Code::kUnsupported, "/proc/meminfo does not say how much memory is free");
  if (auto groups = read_file(root / "proc/self/cgroup", kFileBytesMax)) {
    for_lines(*groups, [&](std::string_view line) {
      if (auto room = room_by_line(root, line)) free = std::min(*free, *room);
    });
  }
  uint64_t own = 0;
  if (auto status = read_file(root / "proc/self/status", kFileBytesMax))
    own = checked_mul<uint64_t>(value_of(*status, "RssAnon:").value_or(0), 1024).value_or(0);
  return checked_add(*free, own).value_or(*free);
}

}  // namespace hearth
