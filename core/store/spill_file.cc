#include "core/store/spill_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>

#include "core/base/bytes.h"
#include "core/base/log.h"
#include "core/shm/layout.h"
#include "core/shm/os.h"

namespace vineyard::store {
namespace {

constexpr const char* kFolderPrefix = "store-";

std::string NameOf(uint32_t file) { return Format("%u.spill", file); }

std::optional<uint32_t> NumberOf(std::string_view name) {
  uint32_t number = 0;
  auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || NameOf(number) != name) return std::nullopt;
  return number;
}

// Where a folder lies now, for people.
std::string PathOf(int folder) {
  char path[4096];
  ssize_t size = readlink(Format("/proc/self/fd/%d", folder).c_str(), path, sizeof path);
  return size > 0 ? std::string(path, static_cast<size_t>(size)) : std::string("its folder");
}

Status FileStatus(const char* call, int folder, uint32_t file, int error) {
  Code code = error == ENOENT ? Code::kCorrupt : Code::kIo;
  return {code, Format("spill file %s/%s: %s: %s", PathOf(folder).c_str(), NameOf(file).c_str(),
                       call, std::strerror(error))};
}

// Calls `each` with the name of every entry, but for those of the folder itself and of its parent.
template <typename Each>
Status ForEachEntry(int folder, Each each) {
  // "." anew: a position in the folder belongs to the open file description.
  int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (again < 0) return ErrnoStatus("openat", errno);
  std::unique_ptr<DIR, int (*)(DIR*)> entries(fdopendir(again), closedir);
  if (entries == nullptr) {
    Status status = ErrnoStatus("fdopendir", errno);
    close(again);
    return status;
  }
  while (dirent* entry = readdir(entries.get())) {
    std::string_view name = entry->d_name;
    if (name != "." && name != "..") each(name);
  }
  return OkStatus();
}

void RemoveFiles(int folder) {
  (void)ForEachEntry(folder, [folder](std::string_view name) {
    if (NumberOf(name)) unlinkat(folder, std::string(name).c_str(), 0);
  });
}

// A folder that nobody has locked, with what lies in it.
void RemoveIfDead(int parent, const std::string& name) {
  Fd folder(openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!folder.valid() || !shm::TryLock(folder).ok()) return;
  RemoveFiles(folder.get());
  unlinkat(parent, name.c_str(), AT_REMOVEDIR);
}

// All of the bytes, or errno.
int WriteAll(int fd, const char* data, uint64_t size, uint64_t offset) {
  while (size > 0) {
    ssize_t written = pwrite(fd, data, std::min<uint64_t>(size, kGiB), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return written < 0 ? errno : ENOSPC;
    data += written;
    size -= static_cast<uint64_t>(written);
    offset += static_cast<uint64_t>(written);
  }
  return 0;
}

// All of the bytes; errno; or ENODATA: the file ends before.
int ReadAll(int fd, char* data, uint64_t size, uint64_t offset) {
  while (size > 0) {
    ssize_t got = pread(fd, data, std::min<uint64_t>(size, kGiB), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got < 0 ? errno : ENODATA;
    data += got;
    size -= static_cast<uint64_t>(got);
    offset += static_cast<uint64_t>(got);
  }
  return 0;
}

void Write(SpillJob* job) {
  auto fail = [job](const char* call, int error) {
    job->status = FileStatus(call, job->folder, job->file, error);
    unlinkat(job->folder, NameOf(job->file).c_str(), 0);
  };
  Fd fd(openat(job->folder, NameOf(job->file).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
               0600));
  if (!fd.valid()) {
    int error = errno;
    job->status = FileStatus("open", job->folder, job->file, error);
    if (error == ENOENT) job->status = {Code::kIo, job->status.text()};  // the folder is gone
    return;
  }
  for (SpillItem& item : job->items) {
    uint64_t checksum = shm::MakeChecksum(shm::Crc32c(item.value, item.size));
    if (item.checksum != 0 && item.checksum != checksum) {
      item.status = Corrupt("object " + PrintId(item.id) +
                            ": its payload does not have its checksum; it stays in memory");
      continue;
    }
    item.checksum = checksum;
    if (int error = WriteAll(fd.get(), item.value, item.size, item.offset); error != 0) {
      return fail("write", error);
    }
  }
  // Until here the disk may have taken nothing: what is in memory goes only when it has.
  if (fdatasync(fd.get()) != 0) return fail("fdatasync", errno);
  // Memory is what was to be saved.
  (void)posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
}

void Read(SpillJob* job) {
  Fd fd;
  uint32_t open_file = 0;
  for (SpillItem& item : job->items) {
    if (!fd.valid() || item.file != open_file) {
      fd = Fd(openat(job->folder, NameOf(item.file).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
      open_file = item.file;
    }
    std::string object = "object " + PrintId(item.id) + ": ";
    if (!fd.valid()) {
      Status status = FileStatus("open", job->folder, item.file, errno);
      item.status = {status.code(), object + status.text()};
      continue;
    }
    if (int error = ReadAll(fd.get(), item.value, item.size, item.offset); error != 0) {
      Status status = FileStatus("read", job->folder, item.file, error);
      item.status = {error == ENODATA ? Code::kCorrupt : status.code(), object + status.text()};
    } else if (item.checksum != shm::MakeChecksum(shm::Crc32c(item.value, item.size))) {
      item.status = Corrupt(object + "its payload in spill file " + PathOf(job->folder) + "/" +
                            NameOf(item.file) + " does not have its checksum");
    }
    (void)posix_fadvise(fd.get(), static_cast<off_t>(item.offset), static_cast<off_t>(item.size),
                        POSIX_FADV_DONTNEED);
  }
}

void Erase(SpillJob* job) {
  Fd fd(openat(job->folder, NameOf(job->file).c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) return;
  for (const SpillItem& item : job->items) {
    uint64_t begin = RoundUp(item.offset, shm::kPageSize);
    uint64_t end = RoundDown(item.offset + item.size, shm::kPageSize);
    if (begin < end) shm::PunchRange(fd, begin, end - begin);
  }
}

}  // namespace

void RunSpillJob(SpillJob* job) {
  switch (job->kind) {
    case SpillJob::Kind::kWrite:
      return Write(job);
    case SpillJob::Kind::kRead:
      return Read(job);
    case SpillJob::Kind::kErase:
      return Erase(job);
    case SpillJob::Kind::kRemove:
      unlinkat(job->folder, NameOf(job->file).c_str(), 0);
      return;
  }
}

Result<Fd> MakeSpillFolder(const std::string& path) {
  Fd parent(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!parent.valid()) {
    return Status(Code::kInvalid, "spill path " + path + ": " + std::strerror(errno) +
                                      "; make the folder, or name another one");
  }
  Status listed = ForEachEntry(parent.get(), [&parent](std::string_view name) {
    if (name.substr(0, std::strlen(kFolderPrefix)) == kFolderPrefix) {
      RemoveIfDead(parent.get(), std::string(name));
    }
  });
  if (!listed.ok()) return Status(listed.code(), "spill path " + path + ": " + listed.text());
  std::string name = path + "/" + kFolderPrefix + "XXXXXX";
  if (mkdtemp(name.data()) == nullptr) {
    return Status(Code::kInvalid, "spill path " + path + ": " + std::strerror(errno) +
                                      "; the daemon's user must be able to write there");
  }
  Fd folder(open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid()) return ErrnoStatus("open", errno);
  // Another daemon that starts may have removed it before it was locked.
  Status locked = shm::TryLock(folder);
  struct stat info;
  if (!locked.ok() || fstat(folder.get(), &info) != 0 || info.st_nlink == 0) {
    return Status(Code::kUnavailable,
                  "spill path " + path + ": another daemon starts there; try again");
  }
  return folder;
}

Status ScanSpillFolder(int folder, const std::function<void(uint32_t, uint64_t)>& each) {
  return ForEachEntry(folder, [&](std::string_view name) {
    std::optional<uint32_t> number = NumberOf(name);
    struct stat info;
    if (!number || fstatat(folder, std::string(name).c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      return;
    }
    each(*number, static_cast<uint64_t>(info.st_size));
  });
}

void RemoveSpillFolder(int folder) {
  RemoveFiles(folder);
  rmdir(PathOf(folder).c_str());
}

}  // namespace vineyard::store
