//! SQLite's C interface to a [`State`]: one `sqlite3_vfs` per disk, one handle per open file.
//!
//! Invariants: a handle is made in `open` and freed in `close`, and SQLite calls the methods of one file one at a time;
//! the `sqlite3_vfs` and its name are never freed, since a connection may outlive its disk; regions of shared memory live
//! as long as any handle that has mapped them.

use std::cell::UnsafeCell;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rusqlite::ffi;

use crate::disk::{Failure, Grip, State, Trouble};
use crate::locks::{Hold, Level, Slots};

/// As SQLite's unix file system says by default.
const SECTOR_SIZE: c_int = 4096;
const LONGEST_NAME: c_int = 512;

/// What all handles of a disk share.
#[derive(Default)]
pub struct Shared {
    state: Mutex<State>,
    /// Shared memories by node; gone with their last handle, as SQLite's are with their last process.
    memories: Mutex<Vec<(Grip, Weak<Memory>)>>,
}

impl Shared {
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn memory(&self, grip: Grip) -> Arc<Memory> {
        let mut memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        memories.retain(|(_, memory)| memory.strong_count() > 0);
        if let Some(memory) = memories.iter().find(|(of, _)| *of == grip).and_then(|(_, memory)| memory.upgrade()) {
            return memory;
        }
        let memory = Arc::<Memory>::default();
        memories.push((grip, Arc::downgrade(&memory)));
        memory
    }
}

/// A log's shared memory: regions whose bytes only SQLite looks at, by its own protocol of locks and barriers.
#[derive(Default)]
struct Memory {
    regions: Mutex<Vec<Region>>,
    slots: Mutex<Slots>,
}

/// Words, so that SQLite finds it aligned.
struct Region(Box<[UnsafeCell<u64>]>);

// SAFETY: the cells are only ever reached through the raw pointer given to SQLite, which orders its accesses by the slots'
// locks and by barriers, exactly as it does for memory shared between processes. Rust code never reads or writes them.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Memory {
    /// The region's address; null where it does not exist and is not to be made.
    fn region(&self, at: usize, size: usize, make: bool) -> *mut c_void {
        let mut regions = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
        while make && regions.len() <= at {
            regions.push(Region((0..size.div_ceil(8)).map(|_| UnsafeCell::new(0)).collect()));
        }
        regions.get(at).and_then(|region| region.0.first()).map_or(std::ptr::null_mut(), |first| first.get().cast())
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open file.
struct Handle {
    shared: Arc<Shared>,
    grip: Grip,
    holder: u64,
    /// Its first sync covers the directory as well.
    names_due: bool,
    unnamed: bool,
    memory: Option<Arc<Memory>>,
}

/// What SQLite allocates for a file: its own part first, then ours.
#[repr(C)]
struct File {
    base: ffi::sqlite3_file,
    handle: *mut Handle,
}

/// A name at SQLite.
pub struct Registered {
    vfs: *mut ffi::sqlite3_vfs,
    name: String,
}

// SAFETY: the pointer is only given to `sqlite3_vfs_unregister`, which takes SQLite's own lock.
unsafe impl Send for Registered {}
// SAFETY: as above.
unsafe impl Sync for Registered {}

impl Registered {
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn unregister(&self) {
        // SAFETY: the pointer came from `register` and is never freed.
        unsafe { ffi::sqlite3_vfs_unregister(self.vfs) };
    }
}

/// Makes a file system for this disk known to SQLite; not as the default one.
pub fn register(shared: &Arc<Shared>) -> Registered {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = format!("turnstone-test-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let c_name = CString::new(name.clone()).unwrap_or_default();
    let vfs = Box::into_raw(Box::new(ffi::sqlite3_vfs {
        iVersion: 2,
        szOsFile: size_of::<File>() as c_int,
        mxPathname: LONGEST_NAME,
        pNext: std::ptr::null_mut(),
        zName: c_name.into_raw(),
        pAppData: Arc::into_raw(Arc::clone(shared)).cast_mut().cast(),
        xOpen: Some(open),
        xDelete: Some(delete),
        xAccess: Some(access),
        xFullPathname: Some(full_pathname),
        xDlOpen: None,
        xDlError: None,
        xDlSym: None,
        xDlClose: None,
        xRandomness: Some(randomness),
        xSleep: Some(sleep),
        xCurrentTime: Some(current_time),
        xGetLastError: Some(last_error),
        xCurrentTimeInt64: Some(current_time_ms),
        xSetSystemCall: None,
        xGetSystemCall: None,
        xNextSystemCall: None,
    }));
    // SAFETY: `vfs` is a complete sqlite3_vfs that lives for ever, with a NUL-terminated name that does too.
    let code = unsafe { ffi::sqlite3_vfs_register(vfs, 0) };
    assert_eq!(code, ffi::SQLITE_OK, "SQLite did not take the file system");
    Registered { vfs, name }
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// SQLite's code for a trouble; `io` is the one for a fault of the device in this operation.
fn code(trouble: Trouble, io: c_int) -> c_int {
    match trouble {
        Trouble::Failed(Failure::Full) => ffi::SQLITE_FULL,
        Trouble::Failed(Failure::Io) | Trouble::Off | Trouble::Missing => io,
    }
}

fn done(result: Result<(), Trouble>, io: c_int) -> c_int {
    result.map_or_else(|trouble| code(trouble, io), |()| ffi::SQLITE_OK)
}

/// # Safety
/// `vfs` is one that `register` made.
unsafe fn shared<'a>(vfs: *mut ffi::sqlite3_vfs) -> &'a Shared {
    // SAFETY: `register` put a leaked Arc<Shared> there.
    unsafe { &*(*vfs).pAppData.cast::<Shared>() }
}

/// # Safety
/// `file` was opened by `open` and not closed, and this is the only call on it now, as SQLite promises.
unsafe fn handle<'a>(file: *mut ffi::sqlite3_file) -> &'a mut Handle {
    // SAFETY: SQLite allocated `szOsFile` bytes, so `file` is a `File`; `open` put a live handle in it.
    unsafe { &mut *(*file.cast::<File>()).handle }
}

/// # Safety
/// `name` is null or a NUL-terminated string that outlives the result.
unsafe fn text<'a>(name: *const c_char) -> Option<&'a str> {
    if name.is_null() {
        return None;
    }
    // SAFETY: as the caller promises.
    unsafe { CStr::from_ptr(name) }.to_str().ok()
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives room for a `File`; without methods it does not call `close` after a failure.
    unsafe { (*file).pMethods = std::ptr::null() };
    // SAFETY: SQLite passes the vfs that it was given and a name or null. `open` makes an Arc out of a borrowed one below.
    let (own, name) = unsafe { (shared(vfs), text(name)) };
    let grip = match own.lock().open(name, flags & ffi::SQLITE_OPEN_CREATE != 0) {
        Ok(grip) => grip,
        Err(_) => return ffi::SQLITE_CANTOPEN,
    };
    // SAFETY: pAppData is the pointer of an Arc<Shared> whose count is at least one for ever; the count goes up first.
    let shared = unsafe {
        let pointer = (*vfs).pAppData.cast::<Shared>().cast_const();
        Arc::increment_strong_count(pointer);
        Arc::from_raw(pointer)
    };
    static HOLDERS: AtomicU64 = AtomicU64::new(0);
    let journals = ffi::SQLITE_OPEN_WAL | ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL;
    let made = Handle {
        shared,
        grip,
        holder: HOLDERS.fetch_add(1, Ordering::Relaxed),
        names_due: flags & ffi::SQLITE_OPEN_CREATE != 0 && flags & journals != 0,
        unnamed: name.is_none(),
        memory: None,
    };
    // SAFETY: `file` is room for a `File`; `out_flags` is null or room for an int.
    unsafe {
        (*file.cast::<File>()).handle = Box::into_raw(Box::new(made));
        (*file).pMethods = &METHODS;
        if !out_flags.is_null() {
            *out_flags = flags;
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn delete(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, sync_names: c_int) -> c_int {
    // SAFETY: SQLite passes the vfs that it was given and a name.
    let (shared, name) = unsafe { (shared(vfs), text(name)) };
    match shared.lock().remove(name.unwrap_or_default(), sync_names != 0) {
        Err(Trouble::Missing) => ffi::SQLITE_IOERR_DELETE_NOENT,
        result => done(result, ffi::SQLITE_IOERR_DELETE),
    }
}

unsafe extern "C" fn access(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, _: c_int, out: *mut c_int) -> c_int {
    // SAFETY: SQLite passes the vfs that it was given, a name and room for an int.
    unsafe { *out = c_int::from(shared(vfs).lock().exists(text(name).unwrap_or_default())) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn full_pathname(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    room: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: SQLite passes a NUL-terminated name.
    let bytes = unsafe { CStr::from_ptr(name) }.to_bytes_with_nul();
    if bytes.len() > room as usize {
        return ffi::SQLITE_CANTOPEN;
    }
    // SAFETY: `out` has `room` bytes, which were counted, and does not overlap with the name.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr().cast(), out, bytes.len()) };
    ffi::SQLITE_OK
}

/// The file system that SQLite uses by default.
fn default_vfs() -> *mut ffi::sqlite3_vfs {
    // SAFETY: a null name asks for the default one, which lives as long as the process.
    unsafe { ffi::sqlite3_vfs_find(std::ptr::null()) }
}

unsafe extern "C" fn randomness(_: *mut ffi::sqlite3_vfs, count: c_int, out: *mut c_char) -> c_int {
    let default = default_vfs();
    // SAFETY: the default file system gets its own pointer and SQLite's arguments.
    unsafe { (*default).xRandomness.map_or(0, |ask| ask(default, count, out)) }
}

unsafe extern "C" fn sleep(_: *mut ffi::sqlite3_vfs, micros: c_int) -> c_int {
    let default = default_vfs();
    // SAFETY: as in `randomness`.
    unsafe { (*default).xSleep.map_or(0, |ask| ask(default, micros)) }
}

unsafe extern "C" fn current_time(_: *mut ffi::sqlite3_vfs, out: *mut f64) -> c_int {
    let default = default_vfs();
    // SAFETY: as in `randomness`.
    unsafe { (*default).xCurrentTime.map_or(ffi::SQLITE_ERROR, |ask| ask(default, out)) }
}

unsafe extern "C" fn current_time_ms(_: *mut ffi::sqlite3_vfs, out: *mut ffi::sqlite3_int64) -> c_int {
    let default = default_vfs();
    // SAFETY: as in `randomness`.
    unsafe { (*default).xCurrentTimeInt64.map_or(ffi::SQLITE_ERROR, |ask| ask(default, out)) }
}

unsafe extern "C" fn last_error(_: *mut ffi::sqlite3_vfs, _: c_int, _: *mut c_char) -> c_int {
    0
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: `open` boxed the handle, and SQLite closes a file once.
    let handle = unsafe { Box::from_raw((*file.cast::<File>()).handle) };
    give_up_memory(&handle);
    let mut state = handle.shared.lock();
    if let Ok(node) = state.node(handle.grip) {
        node.locks.lower(handle.holder, None);
    }
    if handle.unnamed {
        state.forget(handle.grip);
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    out: *mut c_void,
    count: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite passes an open file and `count` bytes of room, initialised or not: they are only written.
    let (handle, out) = unsafe {
        std::ptr::write_bytes(out.cast::<u8>(), 0, count as usize);
        (handle(file), std::slice::from_raw_parts_mut(out.cast::<u8>(), count as usize))
    };
    match handle.shared.lock().read(handle.grip, at as u64, out) {
        Ok(found) if found == out.len() => ffi::SQLITE_OK,
        Ok(_) => ffi::SQLITE_IOERR_SHORT_READ,
        Err(trouble) => code(trouble, ffi::SQLITE_IOERR_READ),
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    bytes: *const c_void,
    count: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite passes an open file and `count` bytes.
    let (handle, bytes) = unsafe { (handle(file), std::slice::from_raw_parts(bytes.cast::<u8>(), count as usize)) };
    done(handle.shared.lock().write(handle.grip, at as u64, bytes), ffi::SQLITE_IOERR_WRITE)
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: ffi::sqlite3_int64) -> c_int {
    // SAFETY: SQLite passes an open file.
    let handle = unsafe { handle(file) };
    done(handle.shared.lock().truncate(handle.grip, size as u64), ffi::SQLITE_IOERR_TRUNCATE)
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    // SAFETY: SQLite passes an open file.
    let handle = unsafe { handle(file) };
    let result = handle.shared.lock().sync(handle.grip, handle.names_due);
    handle.names_due &= result.is_err();
    done(result, ffi::SQLITE_IOERR_FSYNC)
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, out: *mut ffi::sqlite3_int64) -> c_int {
    // SAFETY: SQLite passes an open file.
    let handle = unsafe { handle(file) };
    let size = handle.shared.lock().size(handle.grip);
    let written = size.map(|size| {
        // SAFETY: SQLite passes room for the size.
        unsafe { *out = size as ffi::sqlite3_int64 }
    });
    done(written, ffi::SQLITE_IOERR_FSTAT)
}

fn level(level: c_int) -> Option<Level> {
    match level {
        ffi::SQLITE_LOCK_SHARED => Some(Level::Shared),
        ffi::SQLITE_LOCK_RESERVED => Some(Level::Reserved),
        ffi::SQLITE_LOCK_PENDING => Some(Level::Pending),
        ffi::SQLITE_LOCK_EXCLUSIVE => Some(Level::Exclusive),
        _ => None,
    }
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, wanted: c_int) -> c_int {
    // SAFETY: SQLite passes an open file.
    let handle = unsafe { handle(file) };
    let Some(wanted) = level(wanted) else { return ffi::SQLITE_OK };
    match handle.shared.lock().node(handle.grip).map(|node| node.locks.raise(handle.holder, wanted)) {
        Ok(true) => ffi::SQLITE_OK,
        Ok(false) => ffi::SQLITE_BUSY,
        Err(trouble) => code(trouble, ffi::SQLITE_IOERR_LOCK),
    }
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, to: c_int) -> c_int {
    // SAFETY: SQLite passes an open file.
    let handle = unsafe { handle(file) };
    if let Ok(node) = handle.shared.lock().node(handle.grip) {
        node.locks.lower(handle.holder, level(to));
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn check_reserved(file: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: SQLite passes an open file.
    let handle = unsafe { handle(file) };
    let reserved = handle.shared.lock().node(handle.grip).is_ok_and(|node| node.locks.is_reserved());
    // SAFETY: SQLite passes room for an int.
    unsafe { *out = c_int::from(reserved) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_control(_: *mut ffi::sqlite3_file, _: c_int, _: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_: *mut ffi::sqlite3_file) -> c_int {
    SECTOR_SIZE
}

unsafe extern "C" fn characteristics(_: *mut ffi::sqlite3_file) -> c_int {
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    region: c_int,
    size: c_int,
    make: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: SQLite passes an open file.
    let handle = unsafe { handle(file) };
    if let Err(trouble) = handle.shared.lock().check(handle.grip) {
        return code(trouble, ffi::SQLITE_IOERR_SHMMAP);
    }
    let memory = handle.memory.get_or_insert_with(|| handle.shared.memory(handle.grip));
    // SAFETY: SQLite passes room for a pointer. The region lives while the handle keeps `memory`, which is until unmapped.
    unsafe { *out = memory.region(region as usize, size as usize, make != 0) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn shm_lock(file: *mut ffi::sqlite3_file, first: c_int, count: c_int, flags: c_int) -> c_int {
    // SAFETY: SQLite passes an open file.
    let handle = unsafe { handle(file) };
    let slots = first as usize..(first + count) as usize;
    let Some(memory) = &handle.memory else { return ffi::SQLITE_IOERR_SHMLOCK };
    if flags & ffi::SQLITE_SHM_UNLOCK != 0 {
        memory.slots().release(handle.holder, slots);
        return ffi::SQLITE_OK;
    }
    if let Err(trouble) = handle.shared.lock().check(handle.grip) {
        return code(trouble, ffi::SQLITE_IOERR_SHMLOCK);
    }
    let hold = if flags & ffi::SQLITE_SHM_SHARED != 0 { Hold::Shared } else { Hold::Exclusive };
    if memory.slots().take(handle.holder, slots, hold) { ffi::SQLITE_OK } else { ffi::SQLITE_BUSY }
}

unsafe extern "C" fn shm_barrier(_: *mut ffi::sqlite3_file) {
    fence(Ordering::SeqCst);
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    // SAFETY: SQLite passes an open file, and touches no region of it after this.
    let handle = unsafe { handle(file) };
    give_up_memory(handle);
    handle.memory = None;
    ffi::SQLITE_OK
}

fn give_up_memory(handle: &Handle) {
    if let Some(memory) = &handle.memory {
        memory.slots().release(handle.holder, 0..8);
    }
}
