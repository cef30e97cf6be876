"""The system calls that a confined process is refused, by their numbers on each architecture.

Guarantees: each name stands once, with its number on x86-64 and on AArch64 ("-" where there is none).
Left out: what is done with them (`confinement.py`). The list refuses; what it does not name is allowed,
since an interpreter needs hundreds of calls: files, which most of these are about, are closed by landlock.
"""

from __future__ import annotations

from typing import Final

_TABLE: Final = """
    # sockets
    socket:41:198 socketpair:53:199 bind:49:200 listen:50:201 accept:43:202 accept4:288:242
    connect:42:203 sendto:44:206 sendmsg:46:211 sendmmsg:307:269 recvmmsg:299:243 setsockopt:54:208
    # processes
    fork:57:- vfork:58:- clone:56:220 clone3:435:435 execve:59:221 execveat:322:281 setsid:112:157
    setpgid:109:154
    # signals
    kill:62:129 tkill:200:130 tgkill:234:131 rt_sigqueueinfo:129:138 rt_tgsigqueueinfo:297:240
    pidfd_open:434:434 pidfd_send_signal:424:424 pidfd_getfd:438:438
    # other processes
    ptrace:101:117 process_vm_readv:310:270 process_vm_writev:311:271 process_madvise:440:440
    process_mrelease:448:448 kcmp:312:272 move_pages:279:239 migrate_pages:256:238
    get_robust_list:274:100
    # mounts and namespaces
    mount:165:40 umount2:166:39 pivot_root:155:41 chroot:161:51 unshare:272:97 setns:308:268
    open_tree:428:428 move_mount:429:429 fsopen:430:430 fsconfig:431:431 fsmount:432:432 fspick:433:433
    mount_setattr:442:442 open_tree_attr:467:467 open_by_handle_at:304:265 name_to_handle_at:303:264
    swapon:167:224 swapoff:168:225 quotactl:179:60 quotactl_fd:443:443
    # files
    unlink:87:- unlinkat:263:35 rename:82:- renameat:264:38 renameat2:316:276 link:86:- linkat:265:37
    symlink:88:- symlinkat:266:36 mkdir:83:- mkdirat:258:34 rmdir:84:- mknod:133:- mknodat:259:33
    creat:85:- chmod:90:- fchmod:91:52 fchmodat:268:53 fchmodat2:452:452 chown:92:- fchown:93:55
    lchown:94:- fchownat:260:54 truncate:76:45 ftruncate:77:46 fallocate:285:47 utime:132:- utimes:235:-
    utimensat:280:88 futimesat:261:- setxattr:188:5 lsetxattr:189:6 fsetxattr:190:7 setxattrat:463:463
    removexattr:197:14 lremovexattr:198:15 fremovexattr:199:16 removexattrat:466:466 file_setattr:469:469
    memfd_create:319:279 memfd_secret:447:447 splice:275:76 vmsplice:278:75 tee:276:77 sync:162:81
    syncfs:306:267 flock:73:32 inotify_init:253:- inotify_init1:294:26 inotify_add_watch:254:27
    fanotify_init:300:262 fanotify_mark:301:263
    # identity
    setuid:105:146 setgid:106:144 setreuid:113:145 setregid:114:143 setresuid:117:147 setresgid:119:149
    setfsuid:122:151 setfsgid:123:152 setgroups:116:159 capset:126:91
    # limits and scheduling
    setrlimit:160:164 prlimit64:302:261 setpriority:141:140 ioprio_set:251:30 sched_setparam:142:118
    sched_setscheduler:144:119 sched_setattr:314:274 sched_setaffinity:203:122 mlock:149:228
    mlock2:325:284 mlockall:151:230 personality:135:92 prctl:157:167 arch_prctl:158:- seccomp:317:277
    lsm_set_self_attr:460:460
    # shared memory
    shmget:29:194 shmat:30:196 shmctl:31:195 semget:64:190 semop:65:193 semctl:66:191 semtimedop:220:192
    msgget:68:186 msgsnd:69:189 msgrcv:70:188 msgctl:71:187 mq_open:240:180 mq_unlink:241:181
    mq_timedsend:242:182 mq_timedreceive:243:183 mq_notify:244:184 mq_getsetattr:245:185
    # kernel
    bpf:321:280 perf_event_open:298:241 userfaultfd:323:282 io_uring_setup:425:425 io_uring_enter:426:426
    io_uring_register:427:427 io_setup:206:0 io_submit:209:2 add_key:248:217 request_key:249:218
    keyctl:250:219 init_module:175:105 finit_module:313:273 delete_module:176:106 kexec_load:246:104
    kexec_file_load:320:294 reboot:169:142 acct:163:89 syslog:103:116 sethostname:170:161
    setdomainname:171:162 settimeofday:164:170 clock_settime:227:112 adjtimex:159:171
    clock_adjtime:305:266 iopl:172:- ioperm:173:- modify_ldt:154:- vhangup:153:58 lookup_dcookie:212:18
    set_mempolicy:238:237 set_mempolicy_home_node:450:450 mbind:237:235
"""

AUDIT_ARCH: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""The kernel's number of each architecture that the table knows."""


def numbers(machine: str) -> dict[str, int]:
    """Refused system calls by name, for a `machine` of AUDIT_ARCH."""
    column = list(AUDIT_ARCH).index(machine) + 1
    entries = [entry.split(":") for line in _TABLE.splitlines() if "#" not in line for entry in line.split()]
    return {entry[0]: int(entry[column]) for entry in entries if entry[column] != "-"}
