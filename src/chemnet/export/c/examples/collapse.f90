! collapse WEIGHTS OUTPUT CELLS STEPS [TOLERANCE [RESTART]]: a prestellar core collapses on a spherical grid, and a surrogate does
! its chemistry. OUTPUT is a checkpoint; given as RESTART it goes on bit for bit. Units: pc, km/s, H nuclei per cm^3, yr.
program collapse
    use, intrinsic :: iso_c_binding, only: c_int, c_int32_t, c_double
    use chemnet_surrogate
    implicit none
    integer, parameter :: dp = c_double
    real(dp), parameter :: pi = acos(-1.0_dp), years = 977792.2_dp, cm = 3.0857e18_dp, gravity = 4.30091e-3_dp*0.034590_dp
    real(dp), parameter :: radius = 0.1_dp, mixing = 2.0e-3_dp, cfl = 0.3_dp
    type(surrogate_type) :: surrogate
    type(workspace_type) :: workspace
    real(dp), allocatable :: edge(:), area(:), volume(:), density(:), momentum(:), abundances(:, :), envelope(:, :)
    real(dp), allocatable :: physical(:, :), expected(:), dt(:), wanted(:, :), totals(:, :)
    integer(c_int32_t), allocatable :: flags(:)
    integer(c_int) :: code
    integer :: cells, steps, done = 0, i, unit
    real(dp) :: width, time = 0, tolerance = 0.15_dp, until, broken = 0, not_trusted = 0
    character(1024) :: word

    call surrogate_open(argument(1), surrogate, code)
    if (code /= chemnet_ok) error stop error_text(code)
    word = argument(3); read (word, *) cells
    word = argument(4); read (word, *) steps
    call workspace_new(surrogate, cells, workspace, code)
    if (code /= chemnet_ok) error stop error_text(code)
    width = radius/cells
    edge = [(width*i, i=0, cells)]
    area = 4*pi*edge**2
    volume = 4*pi/3*(edge(2:)**3 - edge(:cells)**3)
    density = 1.0e5_dp/(1 + ((edge(2:) - 0.5_dp*width)/0.06_dp)**2)
    momentum = 0*density
    call start_abundances()
    abundances = spread(envelope(:, 1), 2, cells)
    allocate (physical(surrogate%n_physical, cells), expected(cells), flags(cells))
    allocate (wanted(surrogate%n_elements, cells), totals(surrogate%n_elements, cells))
    dt = spread(surrogate%usual_dt, 1, cells)
    call surrogate_totals(surrogate, abundances, wanted, code)   ! the same in every cell, and so for ever
    if (command_argument_count() > 4) then
        word = argument(5); read (word, *) tolerance
    end if
    if (command_argument_count() > 5) then
        open (newunit=unit, file=argument(6), access="stream", form="unformatted", status="old")
        read (unit) i, done, time, not_trusted, density, momentum, abundances
        close (unit)
    end if
    do while (done < steps)
        done = done + 1
        until = done*surrogate%usual_dt/years
        do while (time < until)   ! the gas takes as many steps as it needs
            call gas_step()
        end do
        call surrogate_totals(surrogate, abundances, totals, code)
        broken = max(broken, maxval(abs(totals/wanted - 1)))
        call surrogate_conserve(surrogate, workspace, wanted, abundances, flags, code)
        if (any(flags /= 0)) error stop "advection broke a cell beyond repair"
        physical = conditions()
        call surrogate_step(surrogate, workspace, physical, abundances, flags, code, dt, expected)
        if (any(iand(flags, ior(chemnet_bad_input, chemnet_not_conserved)) /= 0)) error stop "a cell has no abundances"
        ! here a code with a solver calls it for the cells whose expected error (infinite outside what was trained) is above
        ! its tolerance, from the abundances before the step; this one has none, and says how many it should not trust
        not_trusted = not_trusted + count(.not. expected <= tolerance)
    end do
    open (newunit=unit, file=argument(2), access="stream", form="unformatted", status="replace")
    write (unit) cells, done, time, not_trusted, density, momentum, abundances, physical, expected
    close (unit)
    call surrogate_totals(surrogate, abundances, totals, code)
    print "(i0,a,es9.2,a,f5.1,a,es8.1,a,es8.1)", done, " steps: central density", density(1), ", not trusted", &
        100*not_trusted/(done*cells), " %, totals over the grid off by", maxval(abs(matmul(totals, density*volume) &
        /matmul(wanted, density*volume) - 1)), ", broken by advection by up to", broken

contains

    function argument(number) result(text)
        integer, intent(in) :: number
        character(1024) :: text
        call get_command_argument(number, text)
    end function argument

    subroutine start_abundances()   ! atoms and what starlight ionises
        character(4), parameter :: names(10) = ["H   ", "H2  ", "HE  ", "C+  ", "N   ", "O   ", "S+  ", "MG  ", "SI+ ", "CL+ "]
        real(dp), parameter :: amounts(10) = [0.5_dp, 0.25_dp, 0.1_dp, 1.77e-4_dp, 6.18e-5_dp, 3.34e-4_dp, 3.51e-6_dp, &
            2.256e-6_dp, 1.78e-6_dp, 3.39e-8_dp]
        integer :: n, place
        allocate (envelope(surrogate%n_species, 1), source=0.0_dp)
        do n = 1, size(names)
            place = species_index(surrogate, trim(names(n)))
            if (place == 0) cycle
            envelope(place, 1) = amounts(n)
            if (index(names(n), "+") > 0) place = species_index(surrogate, "E-")
            if (index(names(n), "+") > 0) envelope(place, 1) = envelope(place, 1) + amounts(n)
        end do
    end subroutine start_abundances

    elemental function temperature(n) result(kelvin)
        real(dp), intent(in) :: n
        real(dp) :: kelvin
        kelvin = 13.5_dp + 11.5_dp/sqrt(n/1.0e4_dp)
    end function temperature

    function conditions() result(values)   ! density, radiation field, extinction, temperature
        real(dp) :: values(surrogate%n_physical, cells), column
        integer :: c
        column = 0
        do c = cells, 1, -1
            column = column + density(c)*width*cm
            values(3, c) = 1 + 5.348e-22_dp*(column - 0.5_dp*density(c)*width*cm)
            values(:, c) = [density(c), values(3, c)**(-1.5_dp), values(3, c), temperature(density(c))]
        end do
    end function conditions

    subroutine gas_step()   ! HLL with minmod's slopes; pressure of a gas that keeps its temperature
        real(dp), dimension(0:cells + 1) :: n, v, p, c
        real(dp), dimension(cells + 1) :: mass_flux, momentum_flux, mixed
        real(dp) :: step, low, high, nl, nr, vl, vr, before(cells), inside
        integer :: f
        n = [density(1), density, density(cells)]
        v = [-momentum(1)/density(1), momentum/density, momentum(cells)/density(cells)]
        c = sqrt(1.380649e-16_dp*temperature(n)/(2.33_dp*1.6735e-24_dp))/1.0e5_dp
        p = n*c**2
        step = min(cfl*width/maxval(abs(v) + c), until - time)
        do f = 1, cells + 1
            nl = n(f - 1) + half_slope(n, f - 1); vl = v(f - 1) + half_slope(v, f - 1)
            nr = n(f) - half_slope(n, f); vr = v(f) - half_slope(v, f)
            low = min(vl - c(f - 1), vr - c(f), 0.0_dp); high = max(vl + c(f - 1), vr + c(f), 0.0_dp)
            mass_flux(f) = (high*nl*vl - low*nr*vr + low*high*(nr - nl))/(high - low)
            momentum_flux(f) = (high*nl*(vl**2 + c(f - 1)**2) - low*nr*(vr**2 + c(f)**2) + low*high*(nr*vr - nl*vl))/(high - low)
            mixed(f) = mixing*min(n(f - 1), n(f))*area(f)/width*step
        end do
        mass_flux = mass_flux*area*step; momentum_flux = momentum_flux*area*step; mixed(cells + 1) = 0
        before = density*volume
        inside = 0
        do f = 1, cells
            momentum(f) = momentum(f) + (momentum_flux(f) - momentum_flux(f + 1) + step*p(f)*(area(f + 1) - area(f)))/volume(f) &
                - step*density(f)*gravity*(inside + 0.5_dp*before(f))/(edge(f) + 0.5_dp*width)**2
            inside = inside + before(f)
        end do
        density = density + (mass_flux(:cells) - mass_flux(2:))/volume
        call advect(before, mass_flux, mixed)
        time = merge(until, time + step, until - time <= step)
    end subroutine gas_step

    pure function half_slope(values, at) result(half)
        real(dp), intent(in) :: values(0:)
        integer, intent(in) :: at
        real(dp) :: half, left, right
        half = 0
        if (at < 1 .or. at > size(values) - 2) return
        left = values(at) - values(at - 1); right = values(at + 1) - values(at)
        if (left*right > 0) half = 0.5_dp*sign(min(abs(left), abs(right)), left)
    end function half_slope

    subroutine advect(before, moved, mixed)   ! abundances ride on the mass of the gas, as passive scalars
        real(dp), intent(in) :: before(cells), moved(cells + 1), mixed(cells + 1)
        real(dp) :: x(0:cells + 1), carried(cells + 1)
        integer :: s, f, from
        do s = 1, surrogate%n_species
            x = [abundances(s, 1), abundances(s, :), envelope(s, 1)]
            do f = 1, cells + 1
                from = merge(f - 1, f, moved(f) > 0)
                carried(f) = x(from)
                if (from >= 1 .and. from <= cells) &
                    carried(f) = carried(f) + half_slope(x, from)*sign(1 - abs(moved(f))/before(from), moved(f))
                carried(f) = moved(f)*carried(f) - mixed(f)*(x(f) - x(f - 1))
            end do
            abundances(s, :) = (before*x(1:cells) + carried(:cells) - carried(2:))/(density*volume)
        end do
    end subroutine advect

end program collapse
