! check_reference_fortran WEIGHTS REFERENCE: the check of check_reference.c from Fortran. REFERENCE is reference.raw:
! three int32 (cells, species, parameters), then doubles: abundances, parameters, time steps and abundances after one step.
program check_reference_fortran
    use, intrinsic :: iso_c_binding, only: c_int, c_int32_t, c_double
    use chemnet_surrogate
    implicit none
    !> [dex] of single precision inside the networks, and of cells whose equations were integrated
    real(c_double), parameter :: tolerance = 1.0e-4_c_double, integrated_tolerance = 0.1_c_double, floor_value = 1.0e-20_c_double
    type(surrogate_type) :: surrogate
    type(workspace_type) :: workspace
    character(1024) :: weights, reference
    integer(c_int) :: code
    integer(c_int32_t) :: sizes(3)
    integer(c_int32_t), allocatable :: flags(:)
    real(c_double), allocatable :: abundances(:, :), physical(:, :), dt(:), expected(:, :), error(:)
    real(c_double), allocatable :: off(:)
    logical, allocatable :: integrated(:)
    integer :: unit, status

    call get_command_argument(1, weights)
    call get_command_argument(2, reference)
    call surrogate_open(weights, surrogate, code)
    if (code /= chemnet_ok) call refuse(trim(weights)//": "//error_text(code))
    open (newunit=unit, file=trim(reference), access="stream", form="unformatted", status="old", iostat=status)
    if (status /= 0) call refuse(trim(reference)//" cannot be opened")
    read (unit) sizes
    if (sizes(2) /= surrogate%n_species) call refuse("reference cells of another surrogate")
    allocate (abundances(sizes(2), sizes(1)), expected(sizes(2), sizes(1)), physical(sizes(3), sizes(1)))
    allocate (dt(sizes(1)), error(sizes(1)), flags(sizes(1)))
    read (unit) abundances, physical, dt, expected
    close (unit)
    call workspace_new(surrogate, int(sizes(1)), workspace, code)
    if (code /= chemnet_ok) call refuse(error_text(code))
    call surrogate_step(surrogate, workspace, physical, abundances, flags, code, dt, error)
    if (code /= chemnet_ok) call refuse(error_text(code))
    off = maxval(abs(log10(max(abundances, floor_value)) - log10(max(expected, floor_value))), dim=1)
    integrated = iand(flags, chemnet_by_substeps + chemnet_by_solver + chemnet_not_converged) /= 0
    print "(a,i0,a,es10.3,a,i0,a,es10.3,a,i0)", "cells ", sizes(1), " step_dex ", largest(.not. integrated), " integrated ", &
        count(integrated), " integrated_dex ", largest(integrated), " species_H ", species_index(surrogate, "H")
    call workspace_free(workspace)
    call surrogate_close(surrogate)
    if (.not. (largest(.not. integrated) <= tolerance .and. largest(integrated) <= integrated_tolerance)) error stop 1

contains

    function largest(chosen) result(found)
        logical, intent(in) :: chosen(:)
        real(c_double) :: found
        found = 0
        if (any(chosen)) found = maxval(off, mask=chosen)
    end function largest

    subroutine refuse(text)
        character(*), intent(in) :: text
        write (*, "(a)") text
        error stop 2
    end subroutine refuse

end program check_reference_fortran
