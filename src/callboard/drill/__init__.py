"""The kill drill: a dispatcher is killed again and again, and what its receiver got is counted.

Owns: `callboard bench kill`, for whoever wants to see on their own machine and disk that nothing is lost.

Always holds: a process is killed by SIGKILL only, as by a power cut or the kernel; what is judged is the ledger and the
receiver's own list, not what the process said.
"""
